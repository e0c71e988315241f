# SPDX-License-Identifier: Apache-2.0
# Writes the table of records from the file lists. In a record folder every .c file holds the record of its own name, but
# for the one named like the folder, which holds the kind's shared code.

set(FANIN_RECORD_KINDS op loss init reg optim schedule constraint average metric reader format report finding probe plot)

# Names of the records of a kind, sorted.
function(fanin_record_names out kind)
    set(folder ${kind})
    if(kind STREQUAL reader)
        set(folder data/reader)
    elseif(kind STREQUAL finding)
        set(folder check/finding)
    elseif(kind STREQUAL probe OR kind STREQUAL plot)
        set(folder study/${kind})
    endif()
    file(GLOB files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/${folder}/*.c)
    set(names)
    foreach(file IN LISTS files)
        cmake_path(GET file STEM name)
        if(NOT name STREQUAL kind)
            list(APPEND names ${name})
        endif()
    endforeach()
    list(SORT names)
    set(${out} ${names} PARENT_SCOPE)
endfunction()

# fanin_write_records(<file> <tier>...): the tables of these tiers, in this order.
function(fanin_write_records output)
    set(tiers ${ARGN})
    set(declarations)
    set(tables)
    set(tier_rows)
    foreach(kind IN LISTS FANIN_RECORD_KINDS)
        fanin_record_names(names ${kind})
        set(suffixes "")
        if(kind IN_LIST tiered_folders)
            list(TRANSFORM tiers PREPEND _ OUTPUT_VARIABLE suffixes)
        endif()
        foreach(suffix IN LISTS suffixes ITEMS "")
            if(suffix STREQUAL "" AND kind IN_LIST tiered_folders)
                continue()
            endif()
            set(rows "")
            foreach(name IN LISTS names)
                set(symbol fi_${kind}_${name}${suffix})
                string(APPEND declarations "extern const struct FI_STRUCT_(${kind}) ${symbol};\n")
                string(APPEND rows "    (const struct fanin_record *)&${symbol},\n")
            endforeach()
            string(APPEND tables
                "static const struct fanin_record *const ${kind}${suffix}[] = {\n${rows}    NULL,\n};\n")
        endforeach()
    endforeach()
    foreach(tier IN LISTS tiers)
        string(APPEND declarations "extern const struct fi_kernels fi_kernels_${tier};\n")
        string(APPEND tier_rows "    {\"${tier}\", &fi_kernels_${tier}, {")
        foreach(kind IN LISTS FANIN_RECORD_KINDS)
            if(kind IN_LIST tiered_folders)
                string(APPEND tier_rows "${kind}_${tier}, ")
            else()
                string(APPEND tier_rows "${kind}, ")
            endif()
        endforeach()
        string(APPEND tier_rows "}},\n")
    endforeach()
    list(LENGTH tiers n_tiers)
    list(JOIN FANIN_RECORD_KINDS "\", \"" kind_names)
    file(CONFIGURE OUTPUT ${output} @ONLY CONTENT [=[
/* Generated from the file lists; see cmake/records.cmake. */
#include "base/tables.h"

@declarations@
@tables@
const char *const fi_kinds[FI_KINDS] = {"@kind_names@"};

const struct fi_tier fi_tiers[] = {
@tier_rows@};
const int fi_n_tiers = @n_tiers@;
]=])
endfunction()
