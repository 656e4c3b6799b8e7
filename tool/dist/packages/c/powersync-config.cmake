# Defines powersync::powersync, the extension as a static library. The program links SQLite, 3.38.0 or newer, after it.
if(NOT TARGET powersync::powersync)
  get_filename_component(powersync_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
  add_library(powersync::powersync STATIC IMPORTED)
  set_target_properties(powersync::powersync PROPERTIES
    IMPORTED_LOCATION "${powersync_prefix}/lib/libpowersync.a"
    INTERFACE_INCLUDE_DIRECTORIES "${powersync_prefix}/include")
  unset(powersync_prefix)
endif()
