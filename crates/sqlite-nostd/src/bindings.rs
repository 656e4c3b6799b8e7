//! SQLite's C interface as `sqlite3ext.h` declares it. Generated: `cargo xtask bindings` writes this file.
pub type sqlite3_file = ::core::ffi::c_void;
pub type sqlite3_vfs = ::core::ffi::c_void;

pub const SQLITE_OK: i32 = 0;
pub const SQLITE_ERROR: i32 = 1;
pub const SQLITE_INTERNAL: i32 = 2;
pub const SQLITE_PERM: i32 = 3;
pub const SQLITE_ABORT: i32 = 4;
pub const SQLITE_BUSY: i32 = 5;
pub const SQLITE_LOCKED: i32 = 6;
pub const SQLITE_NOMEM: i32 = 7;
pub const SQLITE_READONLY: i32 = 8;
pub const SQLITE_INTERRUPT: i32 = 9;
pub const SQLITE_IOERR: i32 = 10;
pub const SQLITE_CORRUPT: i32 = 11;
pub const SQLITE_NOTFOUND: i32 = 12;
pub const SQLITE_FULL: i32 = 13;
pub const SQLITE_CANTOPEN: i32 = 14;
pub const SQLITE_PROTOCOL: i32 = 15;
pub const SQLITE_SCHEMA: i32 = 17;
pub const SQLITE_TOOBIG: i32 = 18;
pub const SQLITE_CONSTRAINT: i32 = 19;
pub const SQLITE_MISMATCH: i32 = 20;
pub const SQLITE_MISUSE: i32 = 21;
pub const SQLITE_NOLFS: i32 = 22;
pub const SQLITE_AUTH: i32 = 23;
pub const SQLITE_FORMAT: i32 = 24;
pub const SQLITE_RANGE: i32 = 25;
pub const SQLITE_NOTADB: i32 = 26;
pub const SQLITE_ROW: i32 = 100;
pub const SQLITE_DONE: i32 = 101;
pub const SQLITE_ERROR_MISSING_COLLSEQ: i32 = 257;
pub const SQLITE_ERROR_RETRY: i32 = 513;
pub const SQLITE_ERROR_SNAPSHOT: i32 = 769;
pub const SQLITE_ERROR_RESERVESIZE: i32 = 1025;
pub const SQLITE_ERROR_KEY: i32 = 1281;
pub const SQLITE_ERROR_UNABLE: i32 = 1537;
pub const SQLITE_IOERR_READ: i32 = 266;
pub const SQLITE_IOERR_SHORT_READ: i32 = 522;
pub const SQLITE_IOERR_WRITE: i32 = 778;
pub const SQLITE_IOERR_FSYNC: i32 = 1034;
pub const SQLITE_IOERR_DIR_FSYNC: i32 = 1290;
pub const SQLITE_IOERR_TRUNCATE: i32 = 1546;
pub const SQLITE_IOERR_FSTAT: i32 = 1802;
pub const SQLITE_IOERR_UNLOCK: i32 = 2058;
pub const SQLITE_IOERR_RDLOCK: i32 = 2314;
pub const SQLITE_IOERR_DELETE: i32 = 2570;
pub const SQLITE_IOERR_BLOCKED: i32 = 2826;
pub const SQLITE_IOERR_NOMEM: i32 = 3082;
pub const SQLITE_IOERR_ACCESS: i32 = 3338;
pub const SQLITE_IOERR_CHECKRESERVEDLOCK: i32 = 3594;
pub const SQLITE_IOERR_LOCK: i32 = 3850;
pub const SQLITE_IOERR_CLOSE: i32 = 4106;
pub const SQLITE_IOERR_DIR_CLOSE: i32 = 4362;
pub const SQLITE_IOERR_SHMOPEN: i32 = 4618;
pub const SQLITE_IOERR_SHMSIZE: i32 = 4874;
pub const SQLITE_IOERR_SHMLOCK: i32 = 5130;
pub const SQLITE_IOERR_SHMMAP: i32 = 5386;
pub const SQLITE_IOERR_SEEK: i32 = 5642;
pub const SQLITE_IOERR_DELETE_NOENT: i32 = 5898;
pub const SQLITE_IOERR_MMAP: i32 = 6154;
pub const SQLITE_IOERR_GETTEMPPATH: i32 = 6410;
pub const SQLITE_IOERR_CONVPATH: i32 = 6666;
pub const SQLITE_IOERR_VNODE: i32 = 6922;
pub const SQLITE_IOERR_AUTH: i32 = 7178;
pub const SQLITE_IOERR_BEGIN_ATOMIC: i32 = 7434;
pub const SQLITE_IOERR_COMMIT_ATOMIC: i32 = 7690;
pub const SQLITE_IOERR_ROLLBACK_ATOMIC: i32 = 7946;
pub const SQLITE_IOERR_DATA: i32 = 8202;
pub const SQLITE_IOERR_CORRUPTFS: i32 = 8458;
pub const SQLITE_IOERR_IN_PAGE: i32 = 8714;
pub const SQLITE_IOERR_BADKEY: i32 = 8970;
pub const SQLITE_IOERR_CODEC: i32 = 9226;
pub const SQLITE_LOCKED_SHAREDCACHE: i32 = 262;
pub const SQLITE_LOCKED_VTAB: i32 = 518;
pub const SQLITE_BUSY_RECOVERY: i32 = 261;
pub const SQLITE_BUSY_SNAPSHOT: i32 = 517;
pub const SQLITE_BUSY_TIMEOUT: i32 = 773;
pub const SQLITE_CANTOPEN_NOTEMPDIR: i32 = 270;
pub const SQLITE_CANTOPEN_ISDIR: i32 = 526;
pub const SQLITE_CANTOPEN_FULLPATH: i32 = 782;
pub const SQLITE_CANTOPEN_CONVPATH: i32 = 1038;
pub const SQLITE_CANTOPEN_DIRTYWAL: i32 = 1294;
pub const SQLITE_CANTOPEN_SYMLINK: i32 = 1550;
pub const SQLITE_CORRUPT_VTAB: i32 = 267;
pub const SQLITE_CORRUPT_SEQUENCE: i32 = 523;
pub const SQLITE_CORRUPT_INDEX: i32 = 779;
pub const SQLITE_READONLY_RECOVERY: i32 = 264;
pub const SQLITE_READONLY_CANTLOCK: i32 = 520;
pub const SQLITE_READONLY_ROLLBACK: i32 = 776;
pub const SQLITE_READONLY_DBMOVED: i32 = 1032;
pub const SQLITE_READONLY_CANTINIT: i32 = 1288;
pub const SQLITE_READONLY_DIRECTORY: i32 = 1544;
pub const SQLITE_ABORT_ROLLBACK: i32 = 516;
pub const SQLITE_CONSTRAINT_CHECK: i32 = 275;
pub const SQLITE_CONSTRAINT_COMMITHOOK: i32 = 531;
pub const SQLITE_CONSTRAINT_FOREIGNKEY: i32 = 787;
pub const SQLITE_CONSTRAINT_FUNCTION: i32 = 1043;
pub const SQLITE_CONSTRAINT_NOTNULL: i32 = 1299;
pub const SQLITE_CONSTRAINT_PRIMARYKEY: i32 = 1555;
pub const SQLITE_CONSTRAINT_TRIGGER: i32 = 1811;
pub const SQLITE_CONSTRAINT_UNIQUE: i32 = 2067;
pub const SQLITE_CONSTRAINT_VTAB: i32 = 2323;
pub const SQLITE_CONSTRAINT_ROWID: i32 = 2579;
pub const SQLITE_CONSTRAINT_PINNED: i32 = 2835;
pub const SQLITE_CONSTRAINT_DATATYPE: i32 = 3091;
pub const SQLITE_AUTH_USER: i32 = 279;
pub const SQLITE_OK_LOAD_PERMANENTLY: i32 = 256;
pub const SQLITE_PREPARE_PERSISTENT: i32 = 1;
pub const SQLITE_INTEGER: i32 = 1;
pub const SQLITE_FLOAT: i32 = 2;
pub const SQLITE_BLOB: i32 = 4;
pub const SQLITE_NULL: i32 = 5;
pub const SQLITE_TEXT: i32 = 3;
pub const SQLITE_UTF8: i32 = 1;
pub const SQLITE_DETERMINISTIC: i32 = 2048;
pub const SQLITE_DIRECTONLY: i32 = 524288;
pub const SQLITE_SUBTYPE: i32 = 1048576;
pub const SQLITE_INNOCUOUS: i32 = 2097152;
pub const SQLITE_RESULT_SUBTYPE: i32 = 16777216;
pub const SQLITE_STMTSTATUS_REPREPARE: i32 = 5;
pub const SQLITE_VTAB_INNOCUOUS: i32 = 2;
pub type va_list = *mut ::core::ffi::c_void;
#[repr(C)]
#[derive(Debug)]
pub struct sqlite3 {
    _unused: [u8; 0],
}
pub type sqlite_int64 = ::core::ffi::c_longlong;
pub type sqlite_uint64 = ::core::ffi::c_ulonglong;
pub type sqlite3_int64 = sqlite_int64;
pub type sqlite3_uint64 = sqlite_uint64;
pub type sqlite3_callback = ::core::option::Option<
    unsafe extern "C" fn(
        arg1: *mut ::core::ffi::c_void,
        arg2: ::core::ffi::c_int,
        arg3: *mut *mut ::core::ffi::c_char,
        arg4: *mut *mut ::core::ffi::c_char,
    ) -> ::core::ffi::c_int,
>;
#[repr(C)]
#[derive(Debug)]
pub struct sqlite3_mutex {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct sqlite3_stmt {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct sqlite3_value {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct sqlite3_context {
    _unused: [u8; 0],
}
#[repr(C)]
pub struct sqlite3_module {
    pub iVersion: ::core::ffi::c_int,
    pub xCreate: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            pAux: *mut ::core::ffi::c_void,
            argc: ::core::ffi::c_int,
            argv: *const *const ::core::ffi::c_char,
            ppVTab: *mut *mut sqlite3_vtab,
            arg2: *mut *mut ::core::ffi::c_char,
        ) -> ::core::ffi::c_int,
    >,
    pub xConnect: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            pAux: *mut ::core::ffi::c_void,
            argc: ::core::ffi::c_int,
            argv: *const *const ::core::ffi::c_char,
            ppVTab: *mut *mut sqlite3_vtab,
            arg2: *mut *mut ::core::ffi::c_char,
        ) -> ::core::ffi::c_int,
    >,
    pub xBestIndex: ::core::option::Option<
        unsafe extern "C" fn(pVTab: *mut sqlite3_vtab, arg1: *mut sqlite3_index_info) -> ::core::ffi::c_int,
    >,
    pub xDisconnect: ::core::option::Option<unsafe extern "C" fn(pVTab: *mut sqlite3_vtab) -> ::core::ffi::c_int>,
    pub xDestroy: ::core::option::Option<unsafe extern "C" fn(pVTab: *mut sqlite3_vtab) -> ::core::ffi::c_int>,
    pub xOpen: ::core::option::Option<
        unsafe extern "C" fn(pVTab: *mut sqlite3_vtab, ppCursor: *mut *mut sqlite3_vtab_cursor) -> ::core::ffi::c_int,
    >,
    pub xClose: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_vtab_cursor) -> ::core::ffi::c_int>,
    pub xFilter: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_vtab_cursor,
            idxNum: ::core::ffi::c_int,
            idxStr: *const ::core::ffi::c_char,
            argc: ::core::ffi::c_int,
            argv: *mut *mut sqlite3_value,
        ) -> ::core::ffi::c_int,
    >,
    pub xNext: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_vtab_cursor) -> ::core::ffi::c_int>,
    pub xEof: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_vtab_cursor) -> ::core::ffi::c_int>,
    pub xColumn: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_vtab_cursor,
            arg2: *mut sqlite3_context,
            arg3: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub xRowid: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_vtab_cursor, pRowid: *mut sqlite3_int64) -> ::core::ffi::c_int,
    >,
    pub xUpdate: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_vtab,
            arg2: ::core::ffi::c_int,
            arg3: *mut *mut sqlite3_value,
            arg4: *mut sqlite3_int64,
        ) -> ::core::ffi::c_int,
    >,
    pub xBegin: ::core::option::Option<unsafe extern "C" fn(pVTab: *mut sqlite3_vtab) -> ::core::ffi::c_int>,
    pub xSync: ::core::option::Option<unsafe extern "C" fn(pVTab: *mut sqlite3_vtab) -> ::core::ffi::c_int>,
    pub xCommit: ::core::option::Option<unsafe extern "C" fn(pVTab: *mut sqlite3_vtab) -> ::core::ffi::c_int>,
    pub xRollback: ::core::option::Option<unsafe extern "C" fn(pVTab: *mut sqlite3_vtab) -> ::core::ffi::c_int>,
    pub xFindFunction: ::core::option::Option<
        unsafe extern "C" fn(
            pVtab: *mut sqlite3_vtab,
            nArg: ::core::ffi::c_int,
            zName: *const ::core::ffi::c_char,
            pxFunc: *mut ::core::option::Option<
                unsafe extern "C" fn(
                    arg1: *mut sqlite3_context,
                    arg2: ::core::ffi::c_int,
                    arg3: *mut *mut sqlite3_value,
                ),
            >,
            ppArg: *mut *mut ::core::ffi::c_void,
        ) -> ::core::ffi::c_int,
    >,
    pub xRename: ::core::option::Option<
        unsafe extern "C" fn(pVtab: *mut sqlite3_vtab, zNew: *const ::core::ffi::c_char) -> ::core::ffi::c_int,
    >,
    pub xSavepoint: ::core::option::Option<
        unsafe extern "C" fn(pVTab: *mut sqlite3_vtab, arg1: ::core::ffi::c_int) -> ::core::ffi::c_int,
    >,
    pub xRelease: ::core::option::Option<
        unsafe extern "C" fn(pVTab: *mut sqlite3_vtab, arg1: ::core::ffi::c_int) -> ::core::ffi::c_int,
    >,
    pub xRollbackTo: ::core::option::Option<
        unsafe extern "C" fn(pVTab: *mut sqlite3_vtab, arg1: ::core::ffi::c_int) -> ::core::ffi::c_int,
    >,
    pub xShadowName:
        ::core::option::Option<unsafe extern "C" fn(arg1: *const ::core::ffi::c_char) -> ::core::ffi::c_int>,
    pub xIntegrity: ::core::option::Option<
        unsafe extern "C" fn(
            pVTab: *mut sqlite3_vtab,
            zSchema: *const ::core::ffi::c_char,
            zTabName: *const ::core::ffi::c_char,
            mFlags: ::core::ffi::c_int,
            pzErr: *mut *mut ::core::ffi::c_char,
        ) -> ::core::ffi::c_int,
    >,
}
#[repr(C)]
pub struct sqlite3_index_info {
    pub nConstraint: ::core::ffi::c_int,
    pub aConstraint: *mut sqlite3_index_info_sqlite3_index_constraint,
    pub nOrderBy: ::core::ffi::c_int,
    pub aOrderBy: *mut sqlite3_index_info_sqlite3_index_orderby,
    pub aConstraintUsage: *mut sqlite3_index_info_sqlite3_index_constraint_usage,
    pub idxNum: ::core::ffi::c_int,
    pub idxStr: *mut ::core::ffi::c_char,
    pub needToFreeIdxStr: ::core::ffi::c_int,
    pub orderByConsumed: ::core::ffi::c_int,
    pub estimatedCost: f64,
    pub estimatedRows: sqlite3_int64,
    pub idxFlags: ::core::ffi::c_int,
    pub colUsed: sqlite3_uint64,
}
#[repr(C)]
pub struct sqlite3_index_info_sqlite3_index_constraint {
    pub iColumn: ::core::ffi::c_int,
    pub op: ::core::ffi::c_uchar,
    pub usable: ::core::ffi::c_uchar,
    pub iTermOffset: ::core::ffi::c_int,
}
#[repr(C)]
pub struct sqlite3_index_info_sqlite3_index_orderby {
    pub iColumn: ::core::ffi::c_int,
    pub desc: ::core::ffi::c_uchar,
}
#[repr(C)]
pub struct sqlite3_index_info_sqlite3_index_constraint_usage {
    pub argvIndex: ::core::ffi::c_int,
    pub omit: ::core::ffi::c_uchar,
}
#[repr(C)]
pub struct sqlite3_vtab {
    pub pModule: *const sqlite3_module,
    pub nRef: ::core::ffi::c_int,
    pub zErrMsg: *mut ::core::ffi::c_char,
}
#[repr(C)]
pub struct sqlite3_vtab_cursor {
    pub pVtab: *mut sqlite3_vtab,
}
#[repr(C)]
#[derive(Debug)]
pub struct sqlite3_blob {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct sqlite3_str {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct sqlite3_backup {
    _unused: [u8; 0],
}
#[repr(C)]
pub struct sqlite3_api_routines {
    pub aggregate_context: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_context, nBytes: ::core::ffi::c_int) -> *mut ::core::ffi::c_void,
    >,
    pub aggregate_count: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_context) -> ::core::ffi::c_int>,
    pub bind_blob: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_stmt,
            arg2: ::core::ffi::c_int,
            arg3: *const ::core::ffi::c_void,
            n: ::core::ffi::c_int,
            arg4: ::core::option::Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ) -> ::core::ffi::c_int,
    >,
    pub bind_double: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_stmt, arg2: ::core::ffi::c_int, arg3: f64) -> ::core::ffi::c_int,
    >,
    pub bind_int: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_stmt,
            arg2: ::core::ffi::c_int,
            arg3: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub bind_int64: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_stmt,
            arg2: ::core::ffi::c_int,
            arg3: sqlite_int64,
        ) -> ::core::ffi::c_int,
    >,
    pub bind_null: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_stmt, arg2: ::core::ffi::c_int) -> ::core::ffi::c_int,
    >,
    pub bind_parameter_count:
        ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt) -> ::core::ffi::c_int>,
    pub bind_parameter_index: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_stmt, zName: *const ::core::ffi::c_char) -> ::core::ffi::c_int,
    >,
    pub bind_parameter_name: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_stmt, arg2: ::core::ffi::c_int) -> *const ::core::ffi::c_char,
    >,
    pub bind_text: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_stmt,
            arg2: ::core::ffi::c_int,
            arg3: *const ::core::ffi::c_char,
            n: ::core::ffi::c_int,
            arg4: ::core::option::Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ) -> ::core::ffi::c_int,
    >,
    pub bind_text16: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_stmt,
            arg2: ::core::ffi::c_int,
            arg3: *const ::core::ffi::c_void,
            arg4: ::core::ffi::c_int,
            arg5: ::core::option::Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ) -> ::core::ffi::c_int,
    >,
    pub bind_value: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_stmt,
            arg2: ::core::ffi::c_int,
            arg3: *const sqlite3_value,
        ) -> ::core::ffi::c_int,
    >,
    pub busy_handler: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: ::core::option::Option<
                unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void, arg2: ::core::ffi::c_int) -> ::core::ffi::c_int,
            >,
            arg3: *mut ::core::ffi::c_void,
        ) -> ::core::ffi::c_int,
    >,
    pub busy_timeout:
        ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3, ms: ::core::ffi::c_int) -> ::core::ffi::c_int>,
    pub changes: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> ::core::ffi::c_int>,
    pub close: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> ::core::ffi::c_int>,
    pub collation_needed: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *mut ::core::ffi::c_void,
            arg3: ::core::option::Option<
                unsafe extern "C" fn(
                    arg1: *mut ::core::ffi::c_void,
                    arg2: *mut sqlite3,
                    eTextRep: ::core::ffi::c_int,
                    arg3: *const ::core::ffi::c_char,
                ),
            >,
        ) -> ::core::ffi::c_int,
    >,
    pub collation_needed16: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *mut ::core::ffi::c_void,
            arg3: ::core::option::Option<
                unsafe extern "C" fn(
                    arg1: *mut ::core::ffi::c_void,
                    arg2: *mut sqlite3,
                    eTextRep: ::core::ffi::c_int,
                    arg3: *const ::core::ffi::c_void,
                ),
            >,
        ) -> ::core::ffi::c_int,
    >,
    pub column_blob: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_stmt, iCol: ::core::ffi::c_int) -> *const ::core::ffi::c_void,
    >,
    pub column_bytes: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_stmt, iCol: ::core::ffi::c_int) -> ::core::ffi::c_int,
    >,
    pub column_bytes16: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_stmt, iCol: ::core::ffi::c_int) -> ::core::ffi::c_int,
    >,
    pub column_count: ::core::option::Option<unsafe extern "C" fn(pStmt: *mut sqlite3_stmt) -> ::core::ffi::c_int>,
    pub column_database_name: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_stmt, arg2: ::core::ffi::c_int) -> *const ::core::ffi::c_char,
    >,
    pub column_database_name16: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_stmt, arg2: ::core::ffi::c_int) -> *const ::core::ffi::c_void,
    >,
    pub column_decltype: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_stmt, i: ::core::ffi::c_int) -> *const ::core::ffi::c_char,
    >,
    pub column_decltype16: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_stmt, arg2: ::core::ffi::c_int) -> *const ::core::ffi::c_void,
    >,
    pub column_double:
        ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt, iCol: ::core::ffi::c_int) -> f64>,
    pub column_int: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_stmt, iCol: ::core::ffi::c_int) -> ::core::ffi::c_int,
    >,
    pub column_int64:
        ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt, iCol: ::core::ffi::c_int) -> sqlite_int64>,
    pub column_name: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_stmt, arg2: ::core::ffi::c_int) -> *const ::core::ffi::c_char,
    >,
    pub column_name16: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_stmt, arg2: ::core::ffi::c_int) -> *const ::core::ffi::c_void,
    >,
    pub column_origin_name: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_stmt, arg2: ::core::ffi::c_int) -> *const ::core::ffi::c_char,
    >,
    pub column_origin_name16: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_stmt, arg2: ::core::ffi::c_int) -> *const ::core::ffi::c_void,
    >,
    pub column_table_name: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_stmt, arg2: ::core::ffi::c_int) -> *const ::core::ffi::c_char,
    >,
    pub column_table_name16: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_stmt, arg2: ::core::ffi::c_int) -> *const ::core::ffi::c_void,
    >,
    pub column_text: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_stmt, iCol: ::core::ffi::c_int) -> *const ::core::ffi::c_uchar,
    >,
    pub column_text16: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_stmt, iCol: ::core::ffi::c_int) -> *const ::core::ffi::c_void,
    >,
    pub column_type: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_stmt, iCol: ::core::ffi::c_int) -> ::core::ffi::c_int,
    >,
    pub column_value: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_stmt, iCol: ::core::ffi::c_int) -> *mut sqlite3_value,
    >,
    pub commit_hook: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: ::core::option::Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void) -> ::core::ffi::c_int>,
            arg3: *mut ::core::ffi::c_void,
        ) -> *mut ::core::ffi::c_void,
    >,
    pub complete: ::core::option::Option<unsafe extern "C" fn(sql: *const ::core::ffi::c_char) -> ::core::ffi::c_int>,
    pub complete16: ::core::option::Option<unsafe extern "C" fn(sql: *const ::core::ffi::c_void) -> ::core::ffi::c_int>,
    pub create_collation: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: ::core::ffi::c_int,
            arg4: *mut ::core::ffi::c_void,
            arg5: ::core::option::Option<
                unsafe extern "C" fn(
                    arg1: *mut ::core::ffi::c_void,
                    arg2: ::core::ffi::c_int,
                    arg3: *const ::core::ffi::c_void,
                    arg4: ::core::ffi::c_int,
                    arg5: *const ::core::ffi::c_void,
                ) -> ::core::ffi::c_int,
            >,
        ) -> ::core::ffi::c_int,
    >,
    pub create_collation16: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_void,
            arg3: ::core::ffi::c_int,
            arg4: *mut ::core::ffi::c_void,
            arg5: ::core::option::Option<
                unsafe extern "C" fn(
                    arg1: *mut ::core::ffi::c_void,
                    arg2: ::core::ffi::c_int,
                    arg3: *const ::core::ffi::c_void,
                    arg4: ::core::ffi::c_int,
                    arg5: *const ::core::ffi::c_void,
                ) -> ::core::ffi::c_int,
            >,
        ) -> ::core::ffi::c_int,
    >,
    pub create_function: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: ::core::ffi::c_int,
            arg4: ::core::ffi::c_int,
            arg5: *mut ::core::ffi::c_void,
            xFunc: ::core::option::Option<
                unsafe extern "C" fn(
                    arg1: *mut sqlite3_context,
                    arg2: ::core::ffi::c_int,
                    arg3: *mut *mut sqlite3_value,
                ),
            >,
            xStep: ::core::option::Option<
                unsafe extern "C" fn(
                    arg1: *mut sqlite3_context,
                    arg2: ::core::ffi::c_int,
                    arg3: *mut *mut sqlite3_value,
                ),
            >,
            xFinal: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_context)>,
        ) -> ::core::ffi::c_int,
    >,
    pub create_function16: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_void,
            arg3: ::core::ffi::c_int,
            arg4: ::core::ffi::c_int,
            arg5: *mut ::core::ffi::c_void,
            xFunc: ::core::option::Option<
                unsafe extern "C" fn(
                    arg1: *mut sqlite3_context,
                    arg2: ::core::ffi::c_int,
                    arg3: *mut *mut sqlite3_value,
                ),
            >,
            xStep: ::core::option::Option<
                unsafe extern "C" fn(
                    arg1: *mut sqlite3_context,
                    arg2: ::core::ffi::c_int,
                    arg3: *mut *mut sqlite3_value,
                ),
            >,
            xFinal: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_context)>,
        ) -> ::core::ffi::c_int,
    >,
    pub create_module: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: *const sqlite3_module,
            arg4: *mut ::core::ffi::c_void,
        ) -> ::core::ffi::c_int,
    >,
    pub data_count: ::core::option::Option<unsafe extern "C" fn(pStmt: *mut sqlite3_stmt) -> ::core::ffi::c_int>,
    pub db_handle: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt) -> *mut sqlite3>,
    pub declare_vtab: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3, arg2: *const ::core::ffi::c_char) -> ::core::ffi::c_int,
    >,
    pub enable_shared_cache:
        ::core::option::Option<unsafe extern "C" fn(arg1: ::core::ffi::c_int) -> ::core::ffi::c_int>,
    pub errcode: ::core::option::Option<unsafe extern "C" fn(db: *mut sqlite3) -> ::core::ffi::c_int>,
    pub errmsg: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> *const ::core::ffi::c_char>,
    pub errmsg16: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> *const ::core::ffi::c_void>,
    pub exec: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: sqlite3_callback,
            arg4: *mut ::core::ffi::c_void,
            arg5: *mut *mut ::core::ffi::c_char,
        ) -> ::core::ffi::c_int,
    >,
    pub expired: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt) -> ::core::ffi::c_int>,
    pub finalize: ::core::option::Option<unsafe extern "C" fn(pStmt: *mut sqlite3_stmt) -> ::core::ffi::c_int>,
    pub free: ::core::option::Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
    pub free_table: ::core::option::Option<unsafe extern "C" fn(result: *mut *mut ::core::ffi::c_char)>,
    pub get_autocommit: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> ::core::ffi::c_int>,
    pub get_auxdata: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_context, arg2: ::core::ffi::c_int) -> *mut ::core::ffi::c_void,
    >,
    pub get_table: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: *mut *mut *mut ::core::ffi::c_char,
            arg4: *mut ::core::ffi::c_int,
            arg5: *mut ::core::ffi::c_int,
            arg6: *mut *mut ::core::ffi::c_char,
        ) -> ::core::ffi::c_int,
    >,
    pub global_recover: ::core::option::Option<unsafe extern "C" fn() -> ::core::ffi::c_int>,
    pub interruptx: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3)>,
    pub last_insert_rowid: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> sqlite_int64>,
    pub libversion: ::core::option::Option<unsafe extern "C" fn() -> *const ::core::ffi::c_char>,
    pub libversion_number: ::core::option::Option<unsafe extern "C" fn() -> ::core::ffi::c_int>,
    pub malloc: ::core::option::Option<unsafe extern "C" fn(arg1: ::core::ffi::c_int) -> *mut ::core::ffi::c_void>,
    pub mprintf:
        ::core::option::Option<unsafe extern "C" fn(arg1: *const ::core::ffi::c_char, ...) -> *mut ::core::ffi::c_char>,
    pub open: ::core::option::Option<
        unsafe extern "C" fn(arg1: *const ::core::ffi::c_char, arg2: *mut *mut sqlite3) -> ::core::ffi::c_int,
    >,
    pub open16: ::core::option::Option<
        unsafe extern "C" fn(arg1: *const ::core::ffi::c_void, arg2: *mut *mut sqlite3) -> ::core::ffi::c_int,
    >,
    pub prepare: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: ::core::ffi::c_int,
            arg4: *mut *mut sqlite3_stmt,
            arg5: *mut *const ::core::ffi::c_char,
        ) -> ::core::ffi::c_int,
    >,
    pub prepare16: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_void,
            arg3: ::core::ffi::c_int,
            arg4: *mut *mut sqlite3_stmt,
            arg5: *mut *const ::core::ffi::c_void,
        ) -> ::core::ffi::c_int,
    >,
    pub profile: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: ::core::option::Option<
                unsafe extern "C" fn(
                    arg1: *mut ::core::ffi::c_void,
                    arg2: *const ::core::ffi::c_char,
                    arg3: sqlite_uint64,
                ),
            >,
            arg3: *mut ::core::ffi::c_void,
        ) -> *mut ::core::ffi::c_void,
    >,
    pub progress_handler: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: ::core::ffi::c_int,
            arg3: ::core::option::Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void) -> ::core::ffi::c_int>,
            arg4: *mut ::core::ffi::c_void,
        ),
    >,
    pub realloc: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void, arg2: ::core::ffi::c_int) -> *mut ::core::ffi::c_void,
    >,
    pub reset: ::core::option::Option<unsafe extern "C" fn(pStmt: *mut sqlite3_stmt) -> ::core::ffi::c_int>,
    pub result_blob: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_context,
            arg2: *const ::core::ffi::c_void,
            arg3: ::core::ffi::c_int,
            arg4: ::core::option::Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ),
    >,
    pub result_double: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_context, arg2: f64)>,
    pub result_error: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_context, arg2: *const ::core::ffi::c_char, arg3: ::core::ffi::c_int),
    >,
    pub result_error16: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_context, arg2: *const ::core::ffi::c_void, arg3: ::core::ffi::c_int),
    >,
    pub result_int: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_context, arg2: ::core::ffi::c_int)>,
    pub result_int64: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_context, arg2: sqlite_int64)>,
    pub result_null: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_context)>,
    pub result_text: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_context,
            arg2: *const ::core::ffi::c_char,
            arg3: ::core::ffi::c_int,
            arg4: ::core::option::Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ),
    >,
    pub result_text16: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_context,
            arg2: *const ::core::ffi::c_void,
            arg3: ::core::ffi::c_int,
            arg4: ::core::option::Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ),
    >,
    pub result_text16be: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_context,
            arg2: *const ::core::ffi::c_void,
            arg3: ::core::ffi::c_int,
            arg4: ::core::option::Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ),
    >,
    pub result_text16le: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_context,
            arg2: *const ::core::ffi::c_void,
            arg3: ::core::ffi::c_int,
            arg4: ::core::option::Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ),
    >,
    pub result_value:
        ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_context, arg2: *mut sqlite3_value)>,
    pub rollback_hook: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: ::core::option::Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
            arg3: *mut ::core::ffi::c_void,
        ) -> *mut ::core::ffi::c_void,
    >,
    pub set_authorizer: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: ::core::option::Option<
                unsafe extern "C" fn(
                    arg1: *mut ::core::ffi::c_void,
                    arg2: ::core::ffi::c_int,
                    arg3: *const ::core::ffi::c_char,
                    arg4: *const ::core::ffi::c_char,
                    arg5: *const ::core::ffi::c_char,
                    arg6: *const ::core::ffi::c_char,
                ) -> ::core::ffi::c_int,
            >,
            arg3: *mut ::core::ffi::c_void,
        ) -> ::core::ffi::c_int,
    >,
    pub set_auxdata: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_context,
            arg2: ::core::ffi::c_int,
            arg3: *mut ::core::ffi::c_void,
            arg4: ::core::option::Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ),
    >,
    pub xsnprintf: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: ::core::ffi::c_int,
            arg2: *mut ::core::ffi::c_char,
            arg3: *const ::core::ffi::c_char,
            ...
        ) -> *mut ::core::ffi::c_char,
    >,
    pub step: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt) -> ::core::ffi::c_int>,
    pub table_column_metadata: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: *const ::core::ffi::c_char,
            arg4: *const ::core::ffi::c_char,
            arg5: *mut *const ::core::ffi::c_char,
            arg6: *mut *const ::core::ffi::c_char,
            arg7: *mut ::core::ffi::c_int,
            arg8: *mut ::core::ffi::c_int,
            arg9: *mut ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub thread_cleanup: ::core::option::Option<unsafe extern "C" fn()>,
    pub total_changes: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> ::core::ffi::c_int>,
    pub trace: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            xTrace: ::core::option::Option<
                unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void, arg2: *const ::core::ffi::c_char),
            >,
            arg2: *mut ::core::ffi::c_void,
        ) -> *mut ::core::ffi::c_void,
    >,
    pub transfer_bindings: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_stmt, arg2: *mut sqlite3_stmt) -> ::core::ffi::c_int,
    >,
    pub update_hook: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: ::core::option::Option<
                unsafe extern "C" fn(
                    arg1: *mut ::core::ffi::c_void,
                    arg2: ::core::ffi::c_int,
                    arg3: *const ::core::ffi::c_char,
                    arg4: *const ::core::ffi::c_char,
                    arg5: sqlite_int64,
                ),
            >,
            arg3: *mut ::core::ffi::c_void,
        ) -> *mut ::core::ffi::c_void,
    >,
    pub user_data: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_context) -> *mut ::core::ffi::c_void>,
    pub value_blob:
        ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> *const ::core::ffi::c_void>,
    pub value_bytes: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> ::core::ffi::c_int>,
    pub value_bytes16: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> ::core::ffi::c_int>,
    pub value_double: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> f64>,
    pub value_int: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> ::core::ffi::c_int>,
    pub value_int64: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> sqlite_int64>,
    pub value_numeric_type:
        ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> ::core::ffi::c_int>,
    pub value_text:
        ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> *const ::core::ffi::c_uchar>,
    pub value_text16:
        ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> *const ::core::ffi::c_void>,
    pub value_text16be:
        ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> *const ::core::ffi::c_void>,
    pub value_text16le:
        ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> *const ::core::ffi::c_void>,
    pub value_type: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> ::core::ffi::c_int>,
    pub vmprintf: ::core::option::Option<
        unsafe extern "C" fn(arg1: *const ::core::ffi::c_char, arg2: va_list) -> *mut ::core::ffi::c_char,
    >,
    pub overload_function: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            zFuncName: *const ::core::ffi::c_char,
            nArg: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub prepare_v2: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: ::core::ffi::c_int,
            arg4: *mut *mut sqlite3_stmt,
            arg5: *mut *const ::core::ffi::c_char,
        ) -> ::core::ffi::c_int,
    >,
    pub prepare16_v2: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_void,
            arg3: ::core::ffi::c_int,
            arg4: *mut *mut sqlite3_stmt,
            arg5: *mut *const ::core::ffi::c_void,
        ) -> ::core::ffi::c_int,
    >,
    pub clear_bindings: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt) -> ::core::ffi::c_int>,
    pub create_module_v2: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: *const sqlite3_module,
            arg4: *mut ::core::ffi::c_void,
            xDestroy: ::core::option::Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ) -> ::core::ffi::c_int,
    >,
    pub bind_zeroblob: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_stmt,
            arg2: ::core::ffi::c_int,
            arg3: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub blob_bytes: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_blob) -> ::core::ffi::c_int>,
    pub blob_close: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_blob) -> ::core::ffi::c_int>,
    pub blob_open: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: *const ::core::ffi::c_char,
            arg4: *const ::core::ffi::c_char,
            arg5: sqlite3_int64,
            arg6: ::core::ffi::c_int,
            arg7: *mut *mut sqlite3_blob,
        ) -> ::core::ffi::c_int,
    >,
    pub blob_read: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_blob,
            arg2: *mut ::core::ffi::c_void,
            arg3: ::core::ffi::c_int,
            arg4: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub blob_write: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_blob,
            arg2: *const ::core::ffi::c_void,
            arg3: ::core::ffi::c_int,
            arg4: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub create_collation_v2: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: ::core::ffi::c_int,
            arg4: *mut ::core::ffi::c_void,
            arg5: ::core::option::Option<
                unsafe extern "C" fn(
                    arg1: *mut ::core::ffi::c_void,
                    arg2: ::core::ffi::c_int,
                    arg3: *const ::core::ffi::c_void,
                    arg4: ::core::ffi::c_int,
                    arg5: *const ::core::ffi::c_void,
                ) -> ::core::ffi::c_int,
            >,
            arg6: ::core::option::Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ) -> ::core::ffi::c_int,
    >,
    pub file_control: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: ::core::ffi::c_int,
            arg4: *mut ::core::ffi::c_void,
        ) -> ::core::ffi::c_int,
    >,
    pub memory_highwater: ::core::option::Option<unsafe extern "C" fn(arg1: ::core::ffi::c_int) -> sqlite3_int64>,
    pub memory_used: ::core::option::Option<unsafe extern "C" fn() -> sqlite3_int64>,
    pub mutex_alloc: ::core::option::Option<unsafe extern "C" fn(arg1: ::core::ffi::c_int) -> *mut sqlite3_mutex>,
    pub mutex_enter: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_mutex)>,
    pub mutex_free: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_mutex)>,
    pub mutex_leave: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_mutex)>,
    pub mutex_try: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_mutex) -> ::core::ffi::c_int>,
    pub open_v2: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *const ::core::ffi::c_char,
            arg2: *mut *mut sqlite3,
            arg3: ::core::ffi::c_int,
            arg4: *const ::core::ffi::c_char,
        ) -> ::core::ffi::c_int,
    >,
    pub release_memory: ::core::option::Option<unsafe extern "C" fn(arg1: ::core::ffi::c_int) -> ::core::ffi::c_int>,
    pub result_error_nomem: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_context)>,
    pub result_error_toobig: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_context)>,
    pub sleep: ::core::option::Option<unsafe extern "C" fn(arg1: ::core::ffi::c_int) -> ::core::ffi::c_int>,
    pub soft_heap_limit: ::core::option::Option<unsafe extern "C" fn(arg1: ::core::ffi::c_int)>,
    pub vfs_find: ::core::option::Option<unsafe extern "C" fn(arg1: *const ::core::ffi::c_char) -> *mut sqlite3_vfs>,
    pub vfs_register: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_vfs, arg2: ::core::ffi::c_int) -> ::core::ffi::c_int,
    >,
    pub vfs_unregister: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_vfs) -> ::core::ffi::c_int>,
    pub xthreadsafe: ::core::option::Option<unsafe extern "C" fn() -> ::core::ffi::c_int>,
    pub result_zeroblob:
        ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_context, arg2: ::core::ffi::c_int)>,
    pub result_error_code:
        ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_context, arg2: ::core::ffi::c_int)>,
    pub test_control: ::core::option::Option<unsafe extern "C" fn(arg1: ::core::ffi::c_int, ...) -> ::core::ffi::c_int>,
    pub randomness:
        ::core::option::Option<unsafe extern "C" fn(arg1: ::core::ffi::c_int, arg2: *mut ::core::ffi::c_void)>,
    pub context_db_handle: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_context) -> *mut sqlite3>,
    pub extended_result_codes: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3, arg2: ::core::ffi::c_int) -> ::core::ffi::c_int,
    >,
    pub limit: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: ::core::ffi::c_int,
            arg3: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub next_stmt:
        ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3, arg2: *mut sqlite3_stmt) -> *mut sqlite3_stmt>,
    pub sql: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt) -> *const ::core::ffi::c_char>,
    pub status: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: ::core::ffi::c_int,
            arg2: *mut ::core::ffi::c_int,
            arg3: *mut ::core::ffi::c_int,
            arg4: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub backup_finish: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_backup) -> ::core::ffi::c_int>,
    pub backup_init: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: *mut sqlite3,
            arg4: *const ::core::ffi::c_char,
        ) -> *mut sqlite3_backup,
    >,
    pub backup_pagecount: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_backup) -> ::core::ffi::c_int>,
    pub backup_remaining: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_backup) -> ::core::ffi::c_int>,
    pub backup_step: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_backup, arg2: ::core::ffi::c_int) -> ::core::ffi::c_int,
    >,
    pub compileoption_get:
        ::core::option::Option<unsafe extern "C" fn(arg1: ::core::ffi::c_int) -> *const ::core::ffi::c_char>,
    pub compileoption_used:
        ::core::option::Option<unsafe extern "C" fn(arg1: *const ::core::ffi::c_char) -> ::core::ffi::c_int>,
    pub create_function_v2: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: ::core::ffi::c_int,
            arg4: ::core::ffi::c_int,
            arg5: *mut ::core::ffi::c_void,
            xFunc: ::core::option::Option<
                unsafe extern "C" fn(
                    arg1: *mut sqlite3_context,
                    arg2: ::core::ffi::c_int,
                    arg3: *mut *mut sqlite3_value,
                ),
            >,
            xStep: ::core::option::Option<
                unsafe extern "C" fn(
                    arg1: *mut sqlite3_context,
                    arg2: ::core::ffi::c_int,
                    arg3: *mut *mut sqlite3_value,
                ),
            >,
            xFinal: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_context)>,
            xDestroy: ::core::option::Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ) -> ::core::ffi::c_int,
    >,
    pub db_config: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3, arg2: ::core::ffi::c_int, ...) -> ::core::ffi::c_int,
    >,
    pub db_mutex: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> *mut sqlite3_mutex>,
    pub db_status: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: ::core::ffi::c_int,
            arg3: *mut ::core::ffi::c_int,
            arg4: *mut ::core::ffi::c_int,
            arg5: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub extended_errcode: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> ::core::ffi::c_int>,
    pub log:
        ::core::option::Option<unsafe extern "C" fn(arg1: ::core::ffi::c_int, arg2: *const ::core::ffi::c_char, ...)>,
    pub soft_heap_limit64: ::core::option::Option<unsafe extern "C" fn(arg1: sqlite3_int64) -> sqlite3_int64>,
    pub sourceid: ::core::option::Option<unsafe extern "C" fn() -> *const ::core::ffi::c_char>,
    pub stmt_status: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_stmt,
            arg2: ::core::ffi::c_int,
            arg3: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub strnicmp: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *const ::core::ffi::c_char,
            arg2: *const ::core::ffi::c_char,
            arg3: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub unlock_notify: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: ::core::option::Option<
                unsafe extern "C" fn(arg1: *mut *mut ::core::ffi::c_void, arg2: ::core::ffi::c_int),
            >,
            arg3: *mut ::core::ffi::c_void,
        ) -> ::core::ffi::c_int,
    >,
    pub wal_autocheckpoint: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3, arg2: ::core::ffi::c_int) -> ::core::ffi::c_int,
    >,
    pub wal_checkpoint: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3, arg2: *const ::core::ffi::c_char) -> ::core::ffi::c_int,
    >,
    pub wal_hook: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: ::core::option::Option<
                unsafe extern "C" fn(
                    arg1: *mut ::core::ffi::c_void,
                    arg2: *mut sqlite3,
                    arg3: *const ::core::ffi::c_char,
                    arg4: ::core::ffi::c_int,
                ) -> ::core::ffi::c_int,
            >,
            arg3: *mut ::core::ffi::c_void,
        ) -> *mut ::core::ffi::c_void,
    >,
    pub blob_reopen: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_blob, arg2: sqlite3_int64) -> ::core::ffi::c_int,
    >,
    pub vtab_config: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3, op: ::core::ffi::c_int, ...) -> ::core::ffi::c_int,
    >,
    pub vtab_on_conflict: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> ::core::ffi::c_int>,
    pub close_v2: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> ::core::ffi::c_int>,
    pub db_filename: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3, arg2: *const ::core::ffi::c_char) -> *const ::core::ffi::c_char,
    >,
    pub db_readonly: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3, arg2: *const ::core::ffi::c_char) -> ::core::ffi::c_int,
    >,
    pub db_release_memory: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> ::core::ffi::c_int>,
    pub errstr: ::core::option::Option<unsafe extern "C" fn(arg1: ::core::ffi::c_int) -> *const ::core::ffi::c_char>,
    pub stmt_busy: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt) -> ::core::ffi::c_int>,
    pub stmt_readonly: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt) -> ::core::ffi::c_int>,
    pub stricmp: ::core::option::Option<
        unsafe extern "C" fn(arg1: *const ::core::ffi::c_char, arg2: *const ::core::ffi::c_char) -> ::core::ffi::c_int,
    >,
    pub uri_boolean: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *const ::core::ffi::c_char,
            arg2: *const ::core::ffi::c_char,
            arg3: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub uri_int64: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *const ::core::ffi::c_char,
            arg2: *const ::core::ffi::c_char,
            arg3: sqlite3_int64,
        ) -> sqlite3_int64,
    >,
    pub uri_parameter: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *const ::core::ffi::c_char,
            arg2: *const ::core::ffi::c_char,
        ) -> *const ::core::ffi::c_char,
    >,
    pub xvsnprintf: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: ::core::ffi::c_int,
            arg2: *mut ::core::ffi::c_char,
            arg3: *const ::core::ffi::c_char,
            arg4: va_list,
        ) -> *mut ::core::ffi::c_char,
    >,
    pub wal_checkpoint_v2: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: ::core::ffi::c_int,
            arg4: *mut ::core::ffi::c_int,
            arg5: *mut ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub auto_extension: ::core::option::Option<
        unsafe extern "C" fn(arg1: ::core::option::Option<unsafe extern "C" fn()>) -> ::core::ffi::c_int,
    >,
    pub bind_blob64: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_stmt,
            arg2: ::core::ffi::c_int,
            arg3: *const ::core::ffi::c_void,
            arg4: sqlite3_uint64,
            arg5: ::core::option::Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ) -> ::core::ffi::c_int,
    >,
    pub bind_text64: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_stmt,
            arg2: ::core::ffi::c_int,
            arg3: *const ::core::ffi::c_char,
            arg4: sqlite3_uint64,
            arg5: ::core::option::Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
            arg6: ::core::ffi::c_uchar,
        ) -> ::core::ffi::c_int,
    >,
    pub cancel_auto_extension: ::core::option::Option<
        unsafe extern "C" fn(arg1: ::core::option::Option<unsafe extern "C" fn()>) -> ::core::ffi::c_int,
    >,
    pub load_extension: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: *const ::core::ffi::c_char,
            arg4: *mut *mut ::core::ffi::c_char,
        ) -> ::core::ffi::c_int,
    >,
    pub malloc64: ::core::option::Option<unsafe extern "C" fn(arg1: sqlite3_uint64) -> *mut ::core::ffi::c_void>,
    pub msize: ::core::option::Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void) -> sqlite3_uint64>,
    pub realloc64: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void, arg2: sqlite3_uint64) -> *mut ::core::ffi::c_void,
    >,
    pub reset_auto_extension: ::core::option::Option<unsafe extern "C" fn()>,
    pub result_blob64: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_context,
            arg2: *const ::core::ffi::c_void,
            arg3: sqlite3_uint64,
            arg4: ::core::option::Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ),
    >,
    pub result_text64: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_context,
            arg2: *const ::core::ffi::c_char,
            arg3: sqlite3_uint64,
            arg4: ::core::option::Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
            arg5: ::core::ffi::c_uchar,
        ),
    >,
    pub strglob: ::core::option::Option<
        unsafe extern "C" fn(arg1: *const ::core::ffi::c_char, arg2: *const ::core::ffi::c_char) -> ::core::ffi::c_int,
    >,
    pub value_dup: ::core::option::Option<unsafe extern "C" fn(arg1: *const sqlite3_value) -> *mut sqlite3_value>,
    pub value_free: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_value)>,
    pub result_zeroblob64: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_context, arg2: sqlite3_uint64) -> ::core::ffi::c_int,
    >,
    pub bind_zeroblob64: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_stmt,
            arg2: ::core::ffi::c_int,
            arg3: sqlite3_uint64,
        ) -> ::core::ffi::c_int,
    >,
    pub value_subtype: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> ::core::ffi::c_uint>,
    pub result_subtype:
        ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_context, arg2: ::core::ffi::c_uint)>,
    pub status64: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: ::core::ffi::c_int,
            arg2: *mut sqlite3_int64,
            arg3: *mut sqlite3_int64,
            arg4: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub strlike: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *const ::core::ffi::c_char,
            arg2: *const ::core::ffi::c_char,
            arg3: ::core::ffi::c_uint,
        ) -> ::core::ffi::c_int,
    >,
    pub db_cacheflush: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> ::core::ffi::c_int>,
    pub system_errno: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> ::core::ffi::c_int>,
    pub trace_v2: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: ::core::ffi::c_uint,
            arg3: ::core::option::Option<
                unsafe extern "C" fn(
                    arg1: ::core::ffi::c_uint,
                    arg2: *mut ::core::ffi::c_void,
                    arg3: *mut ::core::ffi::c_void,
                    arg4: *mut ::core::ffi::c_void,
                ) -> ::core::ffi::c_int,
            >,
            arg4: *mut ::core::ffi::c_void,
        ) -> ::core::ffi::c_int,
    >,
    pub expanded_sql: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt) -> *mut ::core::ffi::c_char>,
    pub set_last_insert_rowid: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3, arg2: sqlite3_int64)>,
    pub prepare_v3: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: ::core::ffi::c_int,
            arg4: ::core::ffi::c_uint,
            arg5: *mut *mut sqlite3_stmt,
            arg6: *mut *const ::core::ffi::c_char,
        ) -> ::core::ffi::c_int,
    >,
    pub prepare16_v3: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_void,
            arg3: ::core::ffi::c_int,
            arg4: ::core::ffi::c_uint,
            arg5: *mut *mut sqlite3_stmt,
            arg6: *mut *const ::core::ffi::c_void,
        ) -> ::core::ffi::c_int,
    >,
    pub bind_pointer: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_stmt,
            arg2: ::core::ffi::c_int,
            arg3: *mut ::core::ffi::c_void,
            arg4: *const ::core::ffi::c_char,
            arg5: ::core::option::Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ) -> ::core::ffi::c_int,
    >,
    pub result_pointer: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_context,
            arg2: *mut ::core::ffi::c_void,
            arg3: *const ::core::ffi::c_char,
            arg4: ::core::option::Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ),
    >,
    pub value_pointer: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_value, arg2: *const ::core::ffi::c_char) -> *mut ::core::ffi::c_void,
    >,
    pub vtab_nochange: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_context) -> ::core::ffi::c_int>,
    pub value_nochange: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> ::core::ffi::c_int>,
    pub vtab_collation: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_index_info, arg2: ::core::ffi::c_int) -> *const ::core::ffi::c_char,
    >,
    pub keyword_count: ::core::option::Option<unsafe extern "C" fn() -> ::core::ffi::c_int>,
    pub keyword_name: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: ::core::ffi::c_int,
            arg2: *mut *const ::core::ffi::c_char,
            arg3: *mut ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub keyword_check: ::core::option::Option<
        unsafe extern "C" fn(arg1: *const ::core::ffi::c_char, arg2: ::core::ffi::c_int) -> ::core::ffi::c_int,
    >,
    pub str_new: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> *mut sqlite3_str>,
    pub str_finish: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_str) -> *mut ::core::ffi::c_char>,
    pub str_appendf:
        ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_str, zFormat: *const ::core::ffi::c_char, ...)>,
    pub str_vappendf: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_str, zFormat: *const ::core::ffi::c_char, arg2: va_list),
    >,
    pub str_append: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_str, zIn: *const ::core::ffi::c_char, N: ::core::ffi::c_int),
    >,
    pub str_appendall:
        ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_str, zIn: *const ::core::ffi::c_char)>,
    pub str_appendchar: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_str, N: ::core::ffi::c_int, C: ::core::ffi::c_char),
    >,
    pub str_reset: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_str)>,
    pub str_errcode: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_str) -> ::core::ffi::c_int>,
    pub str_length: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_str) -> ::core::ffi::c_int>,
    pub str_value: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_str) -> *mut ::core::ffi::c_char>,
    pub create_window_function: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: ::core::ffi::c_int,
            arg4: ::core::ffi::c_int,
            arg5: *mut ::core::ffi::c_void,
            xStep: ::core::option::Option<
                unsafe extern "C" fn(
                    arg1: *mut sqlite3_context,
                    arg2: ::core::ffi::c_int,
                    arg3: *mut *mut sqlite3_value,
                ),
            >,
            xFinal: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_context)>,
            xValue: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_context)>,
            xInv: ::core::option::Option<
                unsafe extern "C" fn(
                    arg1: *mut sqlite3_context,
                    arg2: ::core::ffi::c_int,
                    arg3: *mut *mut sqlite3_value,
                ),
            >,
            xDestroy: ::core::option::Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ) -> ::core::ffi::c_int,
    >,
    pub normalized_sql:
        ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt) -> *const ::core::ffi::c_char>,
    pub stmt_isexplain: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt) -> ::core::ffi::c_int>,
    pub value_frombind: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> ::core::ffi::c_int>,
    pub drop_modules: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3, arg2: *mut *const ::core::ffi::c_char) -> ::core::ffi::c_int,
    >,
    pub hard_heap_limit64: ::core::option::Option<unsafe extern "C" fn(arg1: sqlite3_int64) -> sqlite3_int64>,
    pub uri_key: ::core::option::Option<
        unsafe extern "C" fn(arg1: *const ::core::ffi::c_char, arg2: ::core::ffi::c_int) -> *const ::core::ffi::c_char,
    >,
    pub filename_database:
        ::core::option::Option<unsafe extern "C" fn(arg1: *const ::core::ffi::c_char) -> *const ::core::ffi::c_char>,
    pub filename_journal:
        ::core::option::Option<unsafe extern "C" fn(arg1: *const ::core::ffi::c_char) -> *const ::core::ffi::c_char>,
    pub filename_wal:
        ::core::option::Option<unsafe extern "C" fn(arg1: *const ::core::ffi::c_char) -> *const ::core::ffi::c_char>,
    pub create_filename: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *const ::core::ffi::c_char,
            arg2: *const ::core::ffi::c_char,
            arg3: *const ::core::ffi::c_char,
            arg4: ::core::ffi::c_int,
            arg5: *mut *const ::core::ffi::c_char,
        ) -> *const ::core::ffi::c_char,
    >,
    pub free_filename: ::core::option::Option<unsafe extern "C" fn(arg1: *const ::core::ffi::c_char)>,
    pub database_file_object:
        ::core::option::Option<unsafe extern "C" fn(arg1: *const ::core::ffi::c_char) -> *mut sqlite3_file>,
    pub txn_state: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3, arg2: *const ::core::ffi::c_char) -> ::core::ffi::c_int,
    >,
    pub changes64: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> sqlite3_int64>,
    pub total_changes64: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> sqlite3_int64>,
    pub autovacuum_pages: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: ::core::option::Option<
                unsafe extern "C" fn(
                    arg1: *mut ::core::ffi::c_void,
                    arg2: *const ::core::ffi::c_char,
                    arg3: ::core::ffi::c_uint,
                    arg4: ::core::ffi::c_uint,
                    arg5: ::core::ffi::c_uint,
                ) -> ::core::ffi::c_uint,
            >,
            arg3: *mut ::core::ffi::c_void,
            arg4: ::core::option::Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ) -> ::core::ffi::c_int,
    >,
    pub error_offset: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> ::core::ffi::c_int>,
    pub vtab_rhs_value: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_index_info,
            arg2: ::core::ffi::c_int,
            arg3: *mut *mut sqlite3_value,
        ) -> ::core::ffi::c_int,
    >,
    pub vtab_distinct:
        ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_index_info) -> ::core::ffi::c_int>,
    pub vtab_in: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_index_info,
            arg2: ::core::ffi::c_int,
            arg3: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub vtab_in_first: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_value, arg2: *mut *mut sqlite3_value) -> ::core::ffi::c_int,
    >,
    pub vtab_in_next: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_value, arg2: *mut *mut sqlite3_value) -> ::core::ffi::c_int,
    >,
    pub deserialize: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: *mut ::core::ffi::c_uchar,
            arg4: sqlite3_int64,
            arg5: sqlite3_int64,
            arg6: ::core::ffi::c_uint,
        ) -> ::core::ffi::c_int,
    >,
    pub serialize: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: *mut sqlite3_int64,
            arg4: ::core::ffi::c_uint,
        ) -> *mut ::core::ffi::c_uchar,
    >,
    pub db_name: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3, arg2: ::core::ffi::c_int) -> *const ::core::ffi::c_char,
    >,
    pub value_encoding: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> ::core::ffi::c_int>,
    pub is_interrupted: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> ::core::ffi::c_int>,
    pub stmt_explain: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_stmt, arg2: ::core::ffi::c_int) -> ::core::ffi::c_int,
    >,
    pub get_clientdata: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3, arg2: *const ::core::ffi::c_char) -> *mut ::core::ffi::c_void,
    >,
    pub set_clientdata: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: *mut ::core::ffi::c_void,
            arg4: ::core::option::Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ) -> ::core::ffi::c_int,
    >,
    pub setlk_timeout: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: ::core::ffi::c_int,
            arg3: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub set_errmsg: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: ::core::ffi::c_int,
            arg3: *const ::core::ffi::c_char,
        ) -> ::core::ffi::c_int,
    >,
    pub db_status64: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: ::core::ffi::c_int,
            arg3: *mut sqlite3_int64,
            arg4: *mut sqlite3_int64,
            arg5: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub str_truncate: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_str, arg2: ::core::ffi::c_int)>,
    pub str_free: ::core::option::Option<unsafe extern "C" fn(arg1: *mut sqlite3_str)>,
    pub carray_bind: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_stmt,
            arg2: ::core::ffi::c_int,
            arg3: *mut ::core::ffi::c_void,
            arg4: ::core::ffi::c_int,
            arg5: ::core::ffi::c_int,
            arg6: ::core::option::Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ) -> ::core::ffi::c_int,
    >,
    pub carray_bind_v2: ::core::option::Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_stmt,
            arg2: ::core::ffi::c_int,
            arg3: *mut ::core::ffi::c_void,
            arg4: ::core::ffi::c_int,
            arg5: ::core::ffi::c_int,
            arg6: ::core::option::Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
            arg7: *mut ::core::ffi::c_void,
        ) -> ::core::ffi::c_int,
    >,
    pub incomplete: ::core::option::Option<unsafe extern "C" fn(arg1: *const ::core::ffi::c_char) -> sqlite3_int64>,
    pub result_str: ::core::option::Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_context, arg2: *mut sqlite3_str, arg3: ::core::ffi::c_int),
    >,
}
