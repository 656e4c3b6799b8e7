//! The SQL surface: one file per function family, one function per `powersync_control` command.
