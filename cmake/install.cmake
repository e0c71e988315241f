# SPDX-License-Identifier: Apache-2.0
# Installation: headers, both libraries, the command, pkg-config and CMake files, man pages where scdoc is there.
include(CMakePackageConfigHelpers)

install(TARGETS fanin fanin_shared EXPORT fanin_targets)
if(TARGET fanin_cli)
    install(TARGETS fanin_cli)
endif()
install(DIRECTORY include/fanin TYPE INCLUDE)

list(JOIN FANIN_PC_REQUIRES " " pc_requires)
list(JOIN FANIN_PC_LIBS " " pc_libs)
# Said from where the file stands, so that an installed tree may be moved or staged elsewhere.
file(RELATIVE_PATH pc_prefix ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_PREFIX})
string(REGEX REPLACE "/$" "" pc_prefix ${pc_prefix})
configure_file(cmake/fanin.pc.in fanin.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/fanin.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/fanin)
configure_package_config_file(cmake/faninConfig.cmake.in ${PROJECT_BINARY_DIR}/faninConfig.cmake
    INSTALL_DESTINATION ${package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/faninConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/faninConfig.cmake ${PROJECT_BINARY_DIR}/faninConfigVersion.cmake
    DESTINATION ${package_dir})
install(EXPORT fanin_targets NAMESPACE fanin:: DESTINATION ${package_dir})

file(GLOB man_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/docs/man/*.scd)
find_program(SCDOC scdoc)
if(man_sources AND SCDOC)
    set(man_pages)
    foreach(source IN LISTS man_sources)
        cmake_path(GET source STEM LAST_ONLY page) # fanin.1.scd -> fanin.1
        string(REGEX MATCH "[0-9]$" section ${page})
        set(output ${PROJECT_BINARY_DIR}/man/${page})
        add_custom_command(OUTPUT ${output} DEPENDS ${source}
            COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/man
            COMMAND ${SCDOC} < ${source} > ${output})
        list(APPEND man_pages ${output})
        install(FILES ${output} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
    endforeach()
    add_custom_target(man ALL DEPENDS ${man_pages})
endif()
