# Unit tests mirror the source path: tests/unit/formats/otadata_test.c tests formats/otadata.c and is
# the ctest "formats/otadata". A test program links the library of its folder, the files support_*.c
# beside it, and tests/support.
# The label "short" marks what `make test-short` runs, "slow" the unit tests that it leaves out, "tsan" what `make tsan` runs; e2e scripts carry "e2e".

# Tests of five seconds and more under the sanitizers: part of `make test`, not of `make test-short`.
set(slow_tests device/every_bit keys/sb_signer device/network_faults device/network_soak
               device/hostile_server device/hostile_network server/base/signer_client server/mqtt/wake_publisher
               device/states device/component_power device/session
               ports/posix/update ports/posix/http_client
               device/secure_boot device/store_faults device/encrypted
               ports/posix/mqtt ports/sim/nvs examples/energy-meter/host/device server/http/http_limits
               server/http/http_tls server/http/handle_artifact
               server/http/handle_checkin server/http/operator_api server/control/rollout_sweep server/control/rollouts server/control/fleet server/control/checkin
               server/control/threads server/rollout/model tools/codes tools/banned)

add_library(moult_test_support STATIC)
moult_sources(moult_test_support tests/support)
target_compile_definitions(moult_test_support PRIVATE _GNU_SOURCE)
target_link_libraries(moult_test_support PUBLIC moult_formats moult_keys ${MBEDCRYPTO} moult_device
                                                moult_port_sim moult_codec_encode OpenSSL::SSL Threads::Threads PkgConfig::JANSSON)

# Programs for scripts: a server and a network that misbehave on request.
foreach(tool faulty_origin cut_proxy)
    string(REPLACE "_" "-" name "${tool}")
    add_executable(${name} "tests/support/${tool}/main.c")
    target_compile_definitions(${name} PRIVATE _GNU_SOURCE)
    target_link_libraries(${name} PRIVATE moult_test_support)
endforeach()

find_package(PkgConfig REQUIRED)
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)

# A server without sockets, for tests of the layers around it.
add_library(moult_test_world STATIC tests/unit/server/control/support_world.c)
target_compile_definitions(moult_test_world PRIVATE _GNU_SOURCE)
target_link_libraries(moult_test_world PUBLIC moult_server_control moult_test_support)

file(GLOB_RECURSE unit_tests CONFIGURE_DEPENDS RELATIVE "${CMAKE_SOURCE_DIR}/tests/unit"
     "${CMAKE_SOURCE_DIR}/tests/unit/*_test.c")
foreach(test ${unit_tests})
    get_filename_component(folder "${test}" DIRECTORY)
    get_filename_component(base "${test}" NAME_WE)
    string(REGEX REPLACE "_test$" "" module "${base}")
    string(REPLACE "/" "_" target "test_${folder}_${module}")
    moult_library_name("${folder}" lib)
    file(GLOB helpers CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/unit/${folder}/support_*.c")
    add_executable(${target} "tests/unit/${test}" ${helpers})
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE MOULT_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
    target_link_libraries(${target} PRIVATE ${lib} moult_test_support PkgConfig::CMOCKA)
    if(folder MATCHES "^server/(http|mqtt)$")
        target_link_libraries(${target} PRIVATE moult_test_world)
    endif()
    if(folder STREQUAL "server/http")
        target_link_libraries(${target} PRIVATE moult_server_signer) # signs for the handlers
    endif()
    if(folder STREQUAL "server/mqtt")
        add_dependencies(${target} moult) # makes certificates and the broker's configuration
    endif()
    add_test(NAME "${folder}/${module}" COMMAND ${target} WORKING_DIRECTORY "${CMAKE_BINARY_DIR}")
    set(labels short)
    if("${folder}/${module}" IN_LIST slow_tests)
        set(labels slow)
    endif()
    if(folder MATCHES "^server")
        list(APPEND labels tsan)
    endif()
    set_tests_properties("${folder}/${module}" PROPERTIES LABELS "${labels}" TIMEOUT 300)
endforeach()

# Fuzz targets: with MOULT_FUZZ a libFuzzer program, otherwise a replay of the saved corpus as a test.
file(GLOB fuzz_targets CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/fuzz/fuzz_*.c")
foreach(source ${fuzz_targets})
    get_filename_component(target "${source}" NAME_WE)
    string(REGEX REPLACE "^fuzz_" "" module "${target}")
    add_executable(${target} "${source}")
    list(APPEND fuzz_programs ${target})
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
    target_compile_options(${target} PRIVATE -Wno-unused-result) # "only that it ends"
    target_link_libraries(${target} PRIVATE moult_server_http moult_port_sim moult_port_posix moult_cli
                                            moult_test_support)
    if(MOULT_FUZZ)
        target_link_options(${target} PRIVATE -fsanitize=fuzzer)
    else()
        target_sources(${target} PRIVATE tests/fuzz/replay.c)
        add_test(NAME "fuzz/${module}" COMMAND ${target} "${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${module}")
        set_tests_properties("fuzz/${module}" PROPERTIES LABELS "short" TIMEOUT 60)
    endif()
endforeach()

if(MOULT_FUZZ)
    # The simulated chip, the scripted server and loops over every byte are not what is searched: they would
    # be most of what libFuzzer hears, and two thirds of the time.
    foreach(target moult_port_sim moult_test_support moult_keys)
        target_compile_options(${target} PRIVATE -fno-sanitize=fuzzer-no-link)
    endforeach()
    set_source_files_properties("${CMAKE_SOURCE_DIR}/formats/bytes.c" PROPERTIES
                                COMPILE_OPTIONS -fno-sanitize=fuzzer-no-link)
    add_custom_target(fuzz_targets DEPENDS ${fuzz_programs})
endif()

include(tests/power/power.cmake)

# Tests of tools/ and of generated tables, in sh, with planted mistakes.
file(GLOB tool_tests CONFIGURE_DEPENDS RELATIVE "${CMAKE_SOURCE_DIR}/tests/tools"
     "${CMAKE_SOURCE_DIR}/tests/tools/*_test.sh")
foreach(test ${tool_tests})
    string(REGEX REPLACE "_test\\.sh$" "" name "${test}")
    add_test(NAME "tools/${name}" COMMAND sh "${CMAKE_SOURCE_DIR}/tests/tools/${test}")
    set(labels short)
    if("tools/${name}" IN_LIST slow_tests)
        set(labels slow)
    endif()
    set_tests_properties("tools/${name}" PROPERTIES LABELS "${labels}" TIMEOUT 120 SKIP_RETURN_CODE 77
        ENVIRONMENT "MOULT_SOURCE=${CMAKE_SOURCE_DIR};MOULT_BUILD=${CMAKE_BINARY_DIR}")
endforeach()

# Programs that scripts of tests/bench drive; built by the target bench_programs only.
add_custom_target(bench_programs)
file(GLOB bench_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/bench/bench_*.c")
foreach(source ${bench_sources})
    get_filename_component(target "${source}" NAME_WE)
    add_executable(${target} EXCLUDE_FROM_ALL "${source}")
    target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
    target_link_libraries(${target} PRIVATE moult_server_http)
    add_dependencies(bench_programs ${target})
endforeach()

# End-to-end stories: one script each, run with the programs of this build first in PATH. A story
# prints "SKIP: why" and exits 77 where this machine refuses what it needs. MOULT_RELEASE_BIN has the
# programs as `make build` makes them, for stories that measure. Stories run alone (PROCESSORS): they
# start dozens of processes and wait for real time.
file(GLOB stories CONFIGURE_DEPENDS RELATIVE "${CMAKE_SOURCE_DIR}/tests/e2e"
     "${CMAKE_SOURCE_DIR}/tests/e2e/*.sh")
list(FILTER stories EXCLUDE REGEX "^lib")
foreach(story ${stories})
    string(REGEX REPLACE "\\.sh$" "" name "${story}")
    add_test(NAME "e2e/${name}" COMMAND sh "${CMAKE_SOURCE_DIR}/tests/e2e/${story}")
    set(labels e2e)
    if(name MATCHES "^(first_update|gate_pauses_bad_release|api_says_what_is_wrong)$")
        list(APPEND labels tsan)
    endif()
    set(timeout_s 600)
    if(name STREQUAL chaos) # make chaos: 50 devices
        set(timeout_s 1200)
    endif()
    set_tests_properties("e2e/${name}" PROPERTIES LABELS "${labels}" TIMEOUT ${timeout_s} SKIP_RETURN_CODE 77 PROCESSORS 2
        ENVIRONMENT "MOULT_BIN=${CMAKE_RUNTIME_OUTPUT_DIRECTORY};MOULT_RELEASE_BIN=${CMAKE_SOURCE_DIR}/build/bin;MOULT_SOURCE=${CMAKE_SOURCE_DIR}")
endforeach()
include(cmake/conformance.cmake)
