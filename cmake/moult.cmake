# moult_library(FOLDER [LINK ...] [INCLUDE ...])       a static library of FOLDER/**/*.c
# moult_pure_library(FOLDER ...)                       the same, frames <= 512 bytes
# moult_program(NAME FOLDER [LINK ...])                a program of FOLDER/*.c; its sources other than
#                                                      main.c also become a library for tests
# The library of folder a/b is called moult_a_b (ports/sim is moult_port_sim).

function(moult_library_name folder out)
    string(REPLACE "ports/" "port_" name "${folder}")
    string(REPLACE "/" "_" name "${name}")
    string(REPLACE "-" "_" name "${name}")
    set(${out} "moult_${name}" PARENT_SCOPE)
endfunction()

function(moult_sources target folder)
    file(GLOB_RECURSE found CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/${folder}/*.c")
    list(FILTER found EXCLUDE REGEX "/main\\.c$")
    if(NOT found)
        message(STATUS "${folder}: no sources yet")
        file(WRITE "${CMAKE_BINARY_DIR}/empty_${target}.c" "typedef int moult_empty_${target};\n")
        set(found "${CMAKE_BINARY_DIR}/empty_${target}.c")
    endif()
    target_sources(${target} PRIVATE ${found})
    target_include_directories(${target} PUBLIC "${CMAKE_SOURCE_DIR}" "${CMAKE_BINARY_DIR}/gen")
endfunction()

# Functions that the sources of a target may not call; the header says which and why.
function(moult_banned target header)
    target_compile_options(${target} PRIVATE -include "${CMAKE_SOURCE_DIR}/formats/${header}")
endfunction()

function(moult_library folder)
    cmake_parse_arguments(ARG "" "" "LINK;INCLUDE" ${ARGN})
    moult_library_name(${folder} name)
    add_library(${name} STATIC)
    moult_sources(${name} ${folder})
    target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
    moult_banned(${name} banned.h)
    target_link_libraries(${name} PUBLIC ${ARG_LINK})
    foreach(dir ${ARG_INCLUDE})
        target_include_directories(${name} PUBLIC "${CMAKE_SOURCE_DIR}/${dir}")
    endforeach()
endfunction()

function(moult_pure_library folder)
    cmake_parse_arguments(ARG "" "" "LINK;INCLUDE" ${ARGN})
    moult_library_name(${folder} name)
    add_library(${name} STATIC)
    moult_sources(${name} ${folder})
    moult_banned(${name} banned_heap.h)
    if(NOT MOULT_SANITIZE) # sanitizers pad frames with red zones
        target_compile_options(${name} PRIVATE -Wframe-larger-than=512)
    endif()
    target_link_libraries(${name} PUBLIC ${ARG_LINK})
    foreach(dir ${ARG_INCLUDE})
        target_include_directories(${name} PUBLIC "${CMAKE_SOURCE_DIR}/${dir}")
    endforeach()
endfunction()

function(moult_program name folder)
    cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
    moult_library(${folder} LINK ${ARG_LINK})
    if(EXISTS "${CMAKE_SOURCE_DIR}/${folder}/main.c")
        moult_library_name(${folder} lib)
        add_executable(${name} "${CMAKE_SOURCE_DIR}/${folder}/main.c")
        target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
        moult_banned(${name} banned.h)
        target_link_libraries(${name} PRIVATE ${lib})
    else()
        message(STATUS "${name}: no ${folder}/main.c yet")
    endif()
endfunction()

# gen/formats/codes.{h,c} and codes_text.c from api/codes.tsv. Everything that links target sees the
# header, and waits for it.
function(moult_generated_codes target)
    set(table "${CMAKE_SOURCE_DIR}/api/codes.tsv")
    set(pages "${CMAKE_SOURCE_DIR}/docs/errors")
    set(out "${CMAKE_BINARY_DIR}/gen/formats")
    file(MAKE_DIRECTORY "${out}")
    file(GLOB page_files CONFIGURE_DEPENDS "${pages}/[RE]*.md")
    add_custom_command(
        OUTPUT "${out}/codes.h" "${out}/codes.c" "${out}/codes_text.c"
        COMMAND "${CMAKE_SOURCE_DIR}/tools/gen-codes" "${table}" "${out}" "${pages}"
        DEPENDS "${table}" "${CMAKE_SOURCE_DIR}/tools/gen-codes" ${page_files}
        COMMENT "codes from api/codes.tsv" VERBATIM)
    target_sources(${target} PRIVATE "${out}/codes.h" "${out}/codes.c" "${out}/codes_text.c")
endfunction()

# gen/cli/error_pages.c from docs/errors/*.md, so that `moult explain` works offline.
function(moult_generated_error_pages target)
    set(out "${CMAKE_BINARY_DIR}/gen/cli")
    file(MAKE_DIRECTORY "${out}")
    file(GLOB page_files CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/docs/errors/[RE]*.md")
    add_custom_command(
        OUTPUT "${out}/error_pages.h" "${out}/error_pages.c"
        COMMAND "${CMAKE_SOURCE_DIR}/tools/embed-error-pages" "${CMAKE_SOURCE_DIR}/docs/errors" "${out}"
        DEPENDS "${CMAKE_SOURCE_DIR}/tools/embed-error-pages" ${page_files}
        COMMENT "error pages for moult explain" VERBATIM)
    target_sources(${target} PRIVATE "${out}/error_pages.h" "${out}/error_pages.c")
endfunction()
