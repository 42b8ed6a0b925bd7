# The schema's history is built into moultd: migrations/*.sql -> gen/server/store/migrations.c
file(GLOB store_migrations CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/server/store/migrations/*.sql")
set(store_migrations_c "${CMAKE_BINARY_DIR}/gen/server/store/migrations.c")
file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/gen/server/store")
add_custom_command(
    OUTPUT "${store_migrations_c}"
    COMMAND "${CMAKE_SOURCE_DIR}/tools/gen-migrations"
            "${CMAKE_SOURCE_DIR}/server/store/migrations" "${store_migrations_c}"
    DEPENDS ${store_migrations} "${CMAKE_SOURCE_DIR}/tools/gen-migrations"
    COMMENT "migrations.c from server/store/migrations")
target_sources(moult_server_store PRIVATE "${store_migrations_c}")
