# SPDX-License-Identifier: Apache-2.0
# Run as a script (-Dinput=… -Doutput=… -Dname=…) it writes a file's bytes as a C array `name` with its size `name`_size;
# included, it offers fanin_embed(), which has that done while building.
if(CMAKE_SCRIPT_MODE_FILE)
    file(READ ${input} hex HEX)
    file(SIZE ${input} size)
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
    string(REGEX REPLACE "((0x..,){20})" "\\1\n" bytes "${bytes}")
    file(WRITE ${output} "/* Generated. */
#include <stddef.h>

extern const unsigned char ${name}[];
extern const size_t ${name}_size;
const unsigned char ${name}[] = {
${bytes}
};
const size_t ${name}_size = ${size};
")
    return()
endif()

set(FANIN_EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})
# fanin_embed(<out variable> <file> <name>): the generated source.
function(fanin_embed out input name)
    set(output ${PROJECT_BINARY_DIR}/${name}.c)
    add_custom_command(OUTPUT ${output} DEPENDS ${input} ${FANIN_EMBED_SCRIPT}
        COMMAND ${CMAKE_COMMAND} -Dinput=${input} -Doutput=${output} -Dname=${name} -P ${FANIN_EMBED_SCRIPT}
        COMMENT "Embedding ${input}" VERBATIM)
    set(${out} ${output} PARENT_SCOPE)
endfunction()
