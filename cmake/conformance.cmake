# The conformance kit and the ports it judges: programs conformance-NAME, run by tools/conformance and
# as tests. -DMOULT_CONFORMANCE_PORT=DIR adds conformance-dir, made of the C files of that folder.

set(MOULT_CONFORMANCE_PORT "" CACHE PATH "folder of a port to judge, with its fixture")

# What also runs on a chip: no POSIX, no heap.
file(GLOB conformance_core CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/conformance/*.c")
add_library(moult_conformance STATIC ${conformance_core})
target_link_libraries(moult_conformance PUBLIC moult_device moult_formats)
moult_banned(moult_conformance banned_heap.h)

file(GLOB conformance_host CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/conformance/host/*.c")
list(FILTER conformance_host EXCLUDE REGEX "/main\\.c$")
add_library(moult_conformance_host STATIC ${conformance_host})
target_compile_definitions(moult_conformance_host PRIVATE _GNU_SOURCE)
target_link_libraries(moult_conformance_host PUBLIC moult_conformance moult_test_support)

# moult_conformance_program(NAME SOURCES ... LINK ...)
function(moult_conformance_program name)
    cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
    add_executable(conformance-${name} tests/conformance/host/main.c ${ARG_SOURCES})
    target_compile_definitions(conformance-${name} PRIVATE _GNU_SOURCE)
    target_link_libraries(conformance-${name} PRIVATE moult_conformance_host ${ARG_LINK})
endfunction()

set(posix_fixture tests/conformance/ports/posix.c)
set(posix_links moult_examples_energy_meter_host moult_meter moult_port_sim moult_port_posix)
moult_conformance_program(sim SOURCES tests/conformance/ports/sim.c LINK moult_port_sim)
moult_conformance_program(sim-encrypted SOURCES tests/conformance/ports/sim.c LINK moult_port_sim)
moult_conformance_program(sim-secure SOURCES tests/conformance/ports/sim.c LINK moult_port_sim)
target_compile_definitions(conformance-sim-encrypted PRIVATE BOARD_ENCRYPTED=true)
target_compile_definitions(conformance-sim-secure PRIVATE BOARD_SECURE=true)
moult_conformance_program(posix SOURCES tests/conformance/ports/posix_main.c ${posix_fixture}
                          LINK ${posix_links})
moult_conformance_program(template SOURCES ports/template/port.c ports/template/fixture.c)

if(EXISTS "${MOULT_CONFORMANCE_PORT}")
    file(GLOB port_sources CONFIGURE_DEPENDS "${MOULT_CONFORMANCE_PORT}/*.c")
    moult_conformance_program(dir SOURCES ${port_sources} LINK moult_port_sim moult_port_posix)
    set_target_properties(conformance-dir PROPERTIES EXCLUDE_FROM_ALL ON) # the folder may go
    target_include_directories(conformance-dir PRIVATE "${MOULT_CONFORMANCE_PORT}")
endif()

# Planted bugs: each must break the promise that it is listed with.
add_executable(conformance-mutants tests/conformance/mutants/main.c ${posix_fixture})
target_compile_definitions(conformance-mutants PRIVATE _GNU_SOURCE)
target_link_libraries(conformance-mutants PRIVATE moult_conformance_host ${posix_links})

# The kit as on a chip: every reset starts it anew.
add_executable(conformance-resets tests/conformance/resets/main.c tests/conformance/ports/sim.c)
target_compile_definitions(conformance-resets PRIVATE _GNU_SOURCE)
target_link_libraries(conformance-resets PRIVATE moult_conformance_host moult_port_sim)

foreach(board sim sim-encrypted sim-secure)
    add_test(NAME conformance/${board} COMMAND conformance-${board})
endforeach()
add_test(NAME conformance/resets COMMAND conformance-resets)
add_test(NAME conformance/posix COMMAND conformance-posix)
add_test(NAME conformance/mutants COMMAND conformance-mutants)
add_test(NAME conformance/template COMMAND sh "${CMAKE_SOURCE_DIR}/tests/conformance/template_test.sh")
add_test(NAME conformance/chip COMMAND sh "${CMAKE_SOURCE_DIR}/tests/conformance/chip_test.sh")
add_test(NAME conformance/pages COMMAND sh "${CMAKE_SOURCE_DIR}/tests/conformance/pages_test.sh")
set_tests_properties(conformance/sim conformance/sim-encrypted conformance/sim-secure conformance/resets
    conformance/template conformance/chip conformance/pages PROPERTIES LABELS short SKIP_RETURN_CODE 77)
set_tests_properties(conformance/posix conformance/mutants PROPERTIES LABELS slow)
set_tests_properties(conformance/sim conformance/sim-encrypted conformance/sim-secure conformance/resets
    conformance/posix conformance/mutants conformance/template
    conformance/chip conformance/pages PROPERTIES TIMEOUT 300
    ENVIRONMENT "MOULT_SOURCE=${CMAKE_SOURCE_DIR};MOULT_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
