# The pages of docs/cli/ become --help: gen/cli/help_pages.c.
set(help_out "${CMAKE_BINARY_DIR}/gen/cli")
file(MAKE_DIRECTORY "${help_out}")
file(GLOB help_pages CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/docs/cli/*.md")
add_custom_command(
    OUTPUT "${help_out}/help_pages.c"
    COMMAND "${CMAKE_SOURCE_DIR}/tools/gen-cli-help" "${CMAKE_SOURCE_DIR}/docs/cli"
            "${help_out}/help_pages.c"
    COMMAND "${CMAKE_COMMAND}" -E touch "${help_out}/help_pages.c"
    DEPENDS "${CMAKE_SOURCE_DIR}/tools/gen-cli-help" ${help_pages}
    COMMENT "help pages from docs/cli" VERBATIM)
target_sources(moult_cli PRIVATE "${help_out}/help_pages.c")
target_compile_definitions(moult_cli PRIVATE MOULT_VERSION="${PROJECT_VERSION}")
