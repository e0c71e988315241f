# SPDX-License-Identifier: Apache-2.0
# What the library needs at run time. FANIN_LIBRARIES are plain linker names, so that the installed static library can say
# them again without this project's targets; FANIN_PC_REQUIRES and FANIN_PC_LIBS are the same for pkg-config.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

set(FANIN_PC_REQUIRES yaml-0.1 jansson zlib sqlite3)
pkg_check_modules(FANIN_DEPS REQUIRED ${FANIN_PC_REQUIRES} libzip)
find_path(CSV_INCLUDE_DIR csv.h REQUIRED)
find_library(CSV_LIBRARY csv REQUIRED)

# libzip's .pc asks for the libraries of its static form, which Debian does not ship and nobody need have.
set(FANIN_PC_LIBS -lzip -lcsv -lm -lpthread)
set(FANIN_LIBRARIES ${FANIN_DEPS_LIBRARIES} csv m Threads::Threads)
set(FANIN_INCLUDE_DIRS ${FANIN_DEPS_INCLUDE_DIRS} ${CSV_INCLUDE_DIR})
set(FANIN_CLI_LIBRARIES jansson)

# Inlined in pages, so needed while building only.
find_file(CHART_JS NAMES chart.min.js Chart.min.js
    PATHS /usr/share/javascript/chart.js /usr/share/nodejs/chart.js/dist /usr/share/javascript/chartjs NO_CMAKE_FIND_ROOT_PATH)
if(NOT CHART_JS)
    message(FATAL_ERROR "Chart.js 3 is missing: install libjs-chart.js, or say where it is with -DCHART_JS=…/chart.min.js")
endif()
