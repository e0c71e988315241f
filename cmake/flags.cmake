# SPDX-License-Identifier: Apache-2.0
# Compiler flags: warnings, sanitizers, and the processor tiers with what each may assume.
#
# -ffp-contract=off everywhere is part of the same-bits contract: a fused multiply-add is used only where the source says
# fma. The other two tiered flags let loops over sqrt, comparisons and selects vectorize; neither changes a result.

set(FANIN_WARNINGS -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wconversion
    -Wno-sign-conversion)
if(FANIN_WERROR)
    list(APPEND FANIN_WARNINGS -Werror)
endif()

add_compile_options(-ffp-contract=off)
if(FANIN_FUZZ)
    set(FANIN_SANITIZE address,undefined)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(FANIN_SANITIZE)
    add_compile_options(-fsanitize=${FANIN_SANITIZE} -fno-omit-frame-pointer -g)
    add_link_options(-fsanitize=${FANIN_SANITIZE})
    # The instrumentation hides from gcc what it knows otherwise.
    if(CMAKE_C_COMPILER_ID STREQUAL GNU)
        list(APPEND FANIN_WARNINGS -Wno-maybe-uninitialized)
    endif()
    if(FANIN_SANITIZE MATCHES undefined)
        add_compile_options(-fno-sanitize-recover=undefined)
    endif()
endif()
if(FANIN_COVERAGE)
    add_compile_options(--coverage -fprofile-update=atomic -O0 -g)
    add_link_options(--coverage)
endif()

# Vectors that only inline functions pass have no ABI to warn about.
set(FANIN_FLAGS_tiered -fno-math-errno -fno-trapping-math -Wno-psabi)
set(FANIN_FLAGS_portable)
set(FANIN_FLAGS_avx2 -mavx2 -mfma)
set(FANIN_FLAGS_avx512 -mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx2 -mfma)

# Slowest first: the last one the processor has is the default.
set(FANIN_TIERS portable)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|amd64|AMD64)$" AND CMAKE_SIZEOF_VOID_P EQUAL 8)
    list(APPEND FANIN_TIERS avx2 avx512)
endif()

# How every part of the library is compiled.
function(fanin_compile target)
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
    target_include_directories(${target} SYSTEM PRIVATE ${FANIN_INCLUDE_DIRS})
    target_compile_options(${target} PRIVATE ${FANIN_WARNINGS})
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE FANIN_BUILD_SHARED)
endfunction()
