# The power suite, a program of its own, built like every other test: under ASan and UBSan a run takes
# twice the time of an -O2 build, 2 ms, which is fast enough. It takes both cores (PROCESSORS).
file(GLOB power_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/power/*.c")
add_executable(power ${power_sources})
target_compile_definitions(power PRIVATE _GNU_SOURCE)
target_link_libraries(power PRIVATE moult_test_support)
add_test(NAME power COMMAND power --effort test)
set_tests_properties(power PROPERTIES LABELS "slow" TIMEOUT 900 PROCESSORS 2)
