# The tables of the simulated front end, then the example firmware for the ESP32-C3 as ELF files:
# target meter-elf, ${CMAKE_BINARY_DIR}/meter/energy-meter-VERSION.elf, copied to bin/meter/.
# `moult image make` turns one into an image. Without a cross compiler the target is left out.

set(meter_gen "${CMAKE_BINARY_DIR}/gen/meter")
file(MAKE_DIRECTORY "${meter_gen}" "${CMAKE_BINARY_DIR}/meter")
add_executable(gen_waveforms examples/energy-meter/gen/gen_waveforms.c)
target_include_directories(gen_waveforms PRIVATE "${CMAKE_SOURCE_DIR}")
target_link_libraries(gen_waveforms PRIVATE m)
set_target_properties(gen_waveforms PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${meter_gen}")
add_custom_command(OUTPUT "${meter_gen}/waveforms.c"
    COMMAND gen_waveforms "${meter_gen}/waveforms.c" COMMENT "waveforms of the example meter" VERBATIM)
target_sources(moult_meter PRIVATE "${meter_gen}/waveforms.c")
target_link_libraries(moult_meter PUBLIC moult_formats)
add_library(moult_examples_energy_meter_core ALIAS moult_meter) # the name tests look for

find_program(METER_CC riscv64-unknown-elf-gcc)
if(NOT METER_CC)
    message(STATUS "meter-elf: no riscv64-unknown-elf-gcc; the chip images are not built")
    return()
endif()

set(meter_flags -march=rv32imc -mabi=ilp32 --specs=picolibc.specs -std=c11 -Os
    -ffunction-sections -fdata-sections -Wall -Wextra -Wshadow -Werror -I "${CMAKE_SOURCE_DIR}" -I "${CMAKE_BINARY_DIR}/gen"
    "-ffile-prefix-map=${CMAKE_SOURCE_DIR}=." "-ffile-prefix-map=${CMAKE_BINARY_DIR}=build")
set(meter_dir "${CMAKE_SOURCE_DIR}/examples/energy-meter")
set(meter_common
    "${meter_dir}/chip/start.S" "${meter_dir}/chip/main.c" "${meter_dir}/chip/chip.c"
    "${meter_dir}/chip/console.c" "${meter_dir}/chip/commands.c" "${meter_dir}/chip/quality.c"
    "${meter_dir}/chip/descriptor.c" "${meter_dir}/core/meter.c" "${meter_dir}/core/measure.c"
    "${meter_dir}/core/waveform.c" "${meter_gen}/waveforms.c"
    "${CMAKE_SOURCE_DIR}/formats/app_desc.c" "${CMAKE_SOURCE_DIR}/formats/image_info.c"
    "${CMAKE_SOURCE_DIR}/formats/reader.c" "${CMAKE_SOURCE_DIR}/formats/bytes.c")
file(GLOB meter_headers CONFIGURE_DEPENDS "${meter_dir}/chip/*.h" "${meter_dir}/core/*.h"
     "${CMAKE_SOURCE_DIR}/formats/*.h")

foreach(version 1.0.0 1.1.0 1.2.0)
    string(REPLACE "." "_" suffix "${version}")
    set(elf "${CMAKE_BINARY_DIR}/meter/energy-meter-${version}.elf")
    set(sources ${meter_common} "${meter_dir}/chip/chip_${suffix}.c"
        "${meter_dir}/core/version_${suffix}.c")
    add_custom_command(OUTPUT "${elf}"
        COMMAND "${METER_CC}" ${meter_flags} -nostartfiles -T "${meter_dir}/chip/link.ld"
                -Wl,--gc-sections -Wl,--no-warn-rwx-segments -o "${elf}" ${sources} -lm
        COMMAND "${CMAKE_COMMAND}" -E make_directory "${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/meter"
        COMMAND "${CMAKE_COMMAND}" -E copy_if_different "${elf}"
                "${CMAKE_RUNTIME_OUTPUT_DIRECTORY}/meter/"
        DEPENDS ${sources} ${meter_headers} "${meter_dir}/chip/link.ld"
                "${CMAKE_BINARY_DIR}/gen/formats/codes.h"
        COMMENT "energy-meter ${version} for the ESP32-C3" VERBATIM)
    list(APPEND meter_elfs "${elf}")
endforeach()
add_custom_target(meter-elf ALL DEPENDS ${meter_elfs})
