# SPDX-License-Identifier: Apache-2.0
# Run as a script (-Dfolder=… -Dchart_js=… -Doutput=…) it writes the page of src/page/web as one file: in page.html,
# "@include NAME@" becomes that file of the folder, "@include chart@" Chart.js. Included, it offers fanin_make_page().
if(CMAKE_SCRIPT_MODE_FILE)
    file(READ ${folder}/page.html page)
    string(REGEX MATCHALL "@include [^@]+@" marks "${page}")
    foreach(mark IN LISTS marks)
        string(REGEX REPLACE "@include ([^@]+)@" "\\1" name "${mark}")
        if(name STREQUAL chart)
            file(READ ${chart_js} text)
        else()
            file(READ ${folder}/${name} text)
        endif()
        string(REPLACE "${mark}" "${text}" page "${page}")
    endforeach()
    file(WRITE ${output} "${page}")
    return()
endif()

set(FANIN_PAGE_SCRIPT ${CMAKE_CURRENT_LIST_FILE})
# fanin_make_page(<out variable> <folder>): the page, one file, made while building.
function(fanin_make_page out folder)
    file(GLOB parts CONFIGURE_DEPENDS ${folder}/*)
    set(output ${PROJECT_BINARY_DIR}/page.html)
    add_custom_command(OUTPUT ${output} DEPENDS ${parts} ${CHART_JS} ${FANIN_PAGE_SCRIPT}
        COMMAND ${CMAKE_COMMAND} -Dfolder=${folder} -Dchart_js=${CHART_JS} -Doutput=${output} -P ${FANIN_PAGE_SCRIPT}
        COMMENT "Putting the page together" VERBATIM)
    set(${out} ${output} PARENT_SCOPE)
endfunction()
