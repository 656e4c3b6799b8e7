//! SQLite's C interface as `sqlite3ext.h` declares it. Generated: `cargo xtask bindings` writes this file.

pub const SQLITE_VERSION_NUMBER: i32 = 3054001;
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
pub const SQLITE_EMPTY: i32 = 16;
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
pub const SQLITE_NOTICE: i32 = 27;
pub const SQLITE_WARNING: i32 = 28;
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
pub const SQLITE_NOTICE_RECOVER_WAL: i32 = 283;
pub const SQLITE_NOTICE_RECOVER_ROLLBACK: i32 = 539;
pub const SQLITE_NOTICE_RBU: i32 = 795;
pub const SQLITE_WARNING_AUTOINDEX: i32 = 284;
pub const SQLITE_AUTH_USER: i32 = 279;
pub const SQLITE_OK_LOAD_PERMANENTLY: i32 = 256;
pub const SQLITE_OK_SYMLINK: i32 = 512;
pub const SQLITE_LOCK_NONE: i32 = 0;
pub const SQLITE_LOCK_SHARED: i32 = 1;
pub const SQLITE_LOCK_RESERVED: i32 = 2;
pub const SQLITE_LOCK_PENDING: i32 = 3;
pub const SQLITE_LOCK_EXCLUSIVE: i32 = 4;
pub const SQLITE_GET_LOCKPROXYFILE: i32 = 2;
pub const SQLITE_SET_LOCKPROXYFILE: i32 = 3;
pub const SQLITE_LAST_ERRNO: i32 = 4;
pub const SQLITE_DBCONFIG_MAINDBNAME: i32 = 1000;
pub const SQLITE_DBCONFIG_LOOKASIDE: i32 = 1001;
pub const SQLITE_DBCONFIG_ENABLE_FKEY: i32 = 1002;
pub const SQLITE_DBCONFIG_ENABLE_TRIGGER: i32 = 1003;
pub const SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER: i32 = 1004;
pub const SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION: i32 = 1005;
pub const SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE: i32 = 1006;
pub const SQLITE_DBCONFIG_ENABLE_QPSG: i32 = 1007;
pub const SQLITE_DBCONFIG_TRIGGER_EQP: i32 = 1008;
pub const SQLITE_DBCONFIG_RESET_DATABASE: i32 = 1009;
pub const SQLITE_DBCONFIG_DEFENSIVE: i32 = 1010;
pub const SQLITE_DBCONFIG_WRITABLE_SCHEMA: i32 = 1011;
pub const SQLITE_DBCONFIG_LEGACY_ALTER_TABLE: i32 = 1012;
pub const SQLITE_DBCONFIG_DQS_DML: i32 = 1013;
pub const SQLITE_DBCONFIG_DQS_DDL: i32 = 1014;
pub const SQLITE_DBCONFIG_ENABLE_VIEW: i32 = 1015;
pub const SQLITE_DBCONFIG_LEGACY_FILE_FORMAT: i32 = 1016;
pub const SQLITE_DBCONFIG_TRUSTED_SCHEMA: i32 = 1017;
pub const SQLITE_DBCONFIG_STMT_SCANSTATUS: i32 = 1018;
pub const SQLITE_DBCONFIG_REVERSE_SCANORDER: i32 = 1019;
pub const SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE: i32 = 1020;
pub const SQLITE_DBCONFIG_ENABLE_ATTACH_WRITE: i32 = 1021;
pub const SQLITE_DBCONFIG_ENABLE_COMMENTS: i32 = 1022;
pub const SQLITE_DBCONFIG_FP_DIGITS: i32 = 1023;
pub const SQLITE_DBCONFIG_MAX: i32 = 1023;
pub const SQLITE_SETLK_BLOCK_ON_CONNECT: i32 = 1;
pub const SQLITE_DENY: i32 = 1;
pub const SQLITE_IGNORE: i32 = 2;
pub const SQLITE_CREATE_INDEX: i32 = 1;
pub const SQLITE_CREATE_TABLE: i32 = 2;
pub const SQLITE_CREATE_TEMP_INDEX: i32 = 3;
pub const SQLITE_CREATE_TEMP_TABLE: i32 = 4;
pub const SQLITE_CREATE_TEMP_TRIGGER: i32 = 5;
pub const SQLITE_CREATE_TEMP_VIEW: i32 = 6;
pub const SQLITE_CREATE_TRIGGER: i32 = 7;
pub const SQLITE_CREATE_VIEW: i32 = 8;
pub const SQLITE_DELETE: i32 = 9;
pub const SQLITE_DROP_INDEX: i32 = 10;
pub const SQLITE_DROP_TABLE: i32 = 11;
pub const SQLITE_DROP_TEMP_INDEX: i32 = 12;
pub const SQLITE_DROP_TEMP_TABLE: i32 = 13;
pub const SQLITE_DROP_TEMP_TRIGGER: i32 = 14;
pub const SQLITE_DROP_TEMP_VIEW: i32 = 15;
pub const SQLITE_DROP_TRIGGER: i32 = 16;
pub const SQLITE_DROP_VIEW: i32 = 17;
pub const SQLITE_INSERT: i32 = 18;
pub const SQLITE_PRAGMA: i32 = 19;
pub const SQLITE_READ: i32 = 20;
pub const SQLITE_SELECT: i32 = 21;
pub const SQLITE_TRANSACTION: i32 = 22;
pub const SQLITE_UPDATE: i32 = 23;
pub const SQLITE_ATTACH: i32 = 24;
pub const SQLITE_DETACH: i32 = 25;
pub const SQLITE_ALTER_TABLE: i32 = 26;
pub const SQLITE_REINDEX: i32 = 27;
pub const SQLITE_ANALYZE: i32 = 28;
pub const SQLITE_CREATE_VTABLE: i32 = 29;
pub const SQLITE_DROP_VTABLE: i32 = 30;
pub const SQLITE_FUNCTION: i32 = 31;
pub const SQLITE_SAVEPOINT: i32 = 32;
pub const SQLITE_RECURSIVE: i32 = 33;
pub const SQLITE_TRACE_STMT: i32 = 1;
pub const SQLITE_TRACE_PROFILE: i32 = 2;
pub const SQLITE_TRACE_ROW: i32 = 4;
pub const SQLITE_TRACE_CLOSE: i32 = 8;
pub const SQLITE_LIMIT_LENGTH: i32 = 0;
pub const SQLITE_LIMIT_SQL_LENGTH: i32 = 1;
pub const SQLITE_LIMIT_COLUMN: i32 = 2;
pub const SQLITE_LIMIT_EXPR_DEPTH: i32 = 3;
pub const SQLITE_LIMIT_COMPOUND_SELECT: i32 = 4;
pub const SQLITE_LIMIT_VDBE_OP: i32 = 5;
pub const SQLITE_LIMIT_FUNCTION_ARG: i32 = 6;
pub const SQLITE_LIMIT_ATTACHED: i32 = 7;
pub const SQLITE_LIMIT_LIKE_PATTERN_LENGTH: i32 = 8;
pub const SQLITE_LIMIT_VARIABLE_NUMBER: i32 = 9;
pub const SQLITE_LIMIT_TRIGGER_DEPTH: i32 = 10;
pub const SQLITE_LIMIT_WORKER_THREADS: i32 = 11;
pub const SQLITE_LIMIT_PARSER_DEPTH: i32 = 12;
pub const SQLITE_LIMIT_SCHEMA: i32 = 13;
pub const SQLITE_LIMIT_TRIGGER_STEPS: i32 = 14;
pub const SQLITE_PREPARE_PERSISTENT: i32 = 1;
pub const SQLITE_PREPARE_NORMALIZE: i32 = 2;
pub const SQLITE_PREPARE_NO_VTAB: i32 = 4;
pub const SQLITE_PREPARE_DONT_LOG: i32 = 16;
pub const SQLITE_PREPARE_FROM_DDL: i32 = 32;
pub const SQLITE_INTEGER: i32 = 1;
pub const SQLITE_FLOAT: i32 = 2;
pub const SQLITE_BLOB: i32 = 4;
pub const SQLITE_NULL: i32 = 5;
pub const SQLITE_TEXT: i32 = 3;
pub const SQLITE_UTF8: i32 = 1;
pub const SQLITE_UTF16LE: i32 = 2;
pub const SQLITE_UTF16BE: i32 = 3;
pub const SQLITE_UTF16: i32 = 4;
pub const SQLITE_ANY: i32 = 5;
pub const SQLITE_UTF16_ALIGNED: i32 = 8;
pub const SQLITE_UTF8_ZT: i32 = 16;
pub const SQLITE_DETERMINISTIC: i32 = 2048;
pub const SQLITE_DIRECTONLY: i32 = 524288;
pub const SQLITE_SUBTYPE: i32 = 1048576;
pub const SQLITE_INNOCUOUS: i32 = 2097152;
pub const SQLITE_RESULT_SUBTYPE: i32 = 16777216;
pub const SQLITE_SELFORDER1: i32 = 33554432;
pub const SQLITE_TXN_NONE: i32 = 0;
pub const SQLITE_TXN_READ: i32 = 1;
pub const SQLITE_TXN_WRITE: i32 = 2;
pub const SQLITE_INDEX_SCAN_UNIQUE: i32 = 1;
pub const SQLITE_INDEX_SCAN_HEX: i32 = 2;
pub const SQLITE_INDEX_CONSTRAINT_EQ: i32 = 2;
pub const SQLITE_INDEX_CONSTRAINT_GT: i32 = 4;
pub const SQLITE_INDEX_CONSTRAINT_LE: i32 = 8;
pub const SQLITE_INDEX_CONSTRAINT_LT: i32 = 16;
pub const SQLITE_INDEX_CONSTRAINT_GE: i32 = 32;
pub const SQLITE_INDEX_CONSTRAINT_MATCH: i32 = 64;
pub const SQLITE_INDEX_CONSTRAINT_LIKE: i32 = 65;
pub const SQLITE_INDEX_CONSTRAINT_GLOB: i32 = 66;
pub const SQLITE_INDEX_CONSTRAINT_REGEXP: i32 = 67;
pub const SQLITE_INDEX_CONSTRAINT_NE: i32 = 68;
pub const SQLITE_INDEX_CONSTRAINT_ISNOT: i32 = 69;
pub const SQLITE_INDEX_CONSTRAINT_ISNOTNULL: i32 = 70;
pub const SQLITE_INDEX_CONSTRAINT_ISNULL: i32 = 71;
pub const SQLITE_INDEX_CONSTRAINT_IS: i32 = 72;
pub const SQLITE_INDEX_CONSTRAINT_LIMIT: i32 = 73;
pub const SQLITE_INDEX_CONSTRAINT_OFFSET: i32 = 74;
pub const SQLITE_INDEX_CONSTRAINT_FUNCTION: i32 = 150;
pub const SQLITE_COPY: i32 = 0;
pub const SQLITE_XFER: i32 = 1;
pub const SQLITE_FINISH: i32 = 2;
pub const SQLITE_DBSTATUS_LOOKASIDE_USED: i32 = 0;
pub const SQLITE_DBSTATUS_CACHE_USED: i32 = 1;
pub const SQLITE_DBSTATUS_SCHEMA_USED: i32 = 2;
pub const SQLITE_DBSTATUS_STMT_USED: i32 = 3;
pub const SQLITE_DBSTATUS_LOOKASIDE_HIT: i32 = 4;
pub const SQLITE_DBSTATUS_LOOKASIDE_MISS_SIZE: i32 = 5;
pub const SQLITE_DBSTATUS_LOOKASIDE_MISS_FULL: i32 = 6;
pub const SQLITE_DBSTATUS_CACHE_HIT: i32 = 7;
pub const SQLITE_DBSTATUS_CACHE_MISS: i32 = 8;
pub const SQLITE_DBSTATUS_CACHE_WRITE: i32 = 9;
pub const SQLITE_DBSTATUS_DEFERRED_FKS: i32 = 10;
pub const SQLITE_DBSTATUS_CACHE_USED_SHARED: i32 = 11;
pub const SQLITE_DBSTATUS_CACHE_SPILL: i32 = 12;
pub const SQLITE_DBSTATUS_TEMPBUF_SPILL: i32 = 13;
pub const SQLITE_DBSTATUS_MAX: i32 = 13;
pub const SQLITE_STMTSTATUS_FULLSCAN_STEP: i32 = 1;
pub const SQLITE_STMTSTATUS_SORT: i32 = 2;
pub const SQLITE_STMTSTATUS_AUTOINDEX: i32 = 3;
pub const SQLITE_STMTSTATUS_VM_STEP: i32 = 4;
pub const SQLITE_STMTSTATUS_REPREPARE: i32 = 5;
pub const SQLITE_STMTSTATUS_RUN: i32 = 6;
pub const SQLITE_STMTSTATUS_FILTER_MISS: i32 = 7;
pub const SQLITE_STMTSTATUS_FILTER_HIT: i32 = 8;
pub const SQLITE_STMTSTATUS_MEMUSED: i32 = 99;
pub const SQLITE_VTAB_CONSTRAINT_SUPPORT: i32 = 1;
pub const SQLITE_VTAB_INNOCUOUS: i32 = 2;
pub const SQLITE_VTAB_DIRECTONLY: i32 = 3;
pub const SQLITE_VTAB_USES_ALL_SCHEMAS: i32 = 4;
pub const SQLITE_ROLLBACK: i32 = 1;
pub const SQLITE_FAIL: i32 = 3;
pub const SQLITE_REPLACE: i32 = 5;
pub type sqlite_int64 = ::core::ffi::c_longlong;
pub type sqlite_uint64 = ::core::ffi::c_ulonglong;
pub type sqlite3_int64 = sqlite_int64;
pub type sqlite3_uint64 = sqlite_uint64;
pub type sqlite3_callback = Option<
    unsafe extern "C" fn(
        arg1: *mut ::core::ffi::c_void,
        arg2: ::core::ffi::c_int,
        arg3: *mut *mut ::core::ffi::c_char,
        arg4: *mut *mut ::core::ffi::c_char,
    ) -> ::core::ffi::c_int,
>;
pub type sqlite3_filename = *const ::core::ffi::c_char;
pub type sqlite3_syscall_ptr = Option<unsafe extern "C" fn()>;
pub type sqlite3_destructor_type = Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>;
pub type sqlite3_loadext_entry = Option<
    unsafe extern "C" fn(
        db: *mut sqlite3,
        pzErrMsg: *mut *mut ::core::ffi::c_char,
        pThunk: *const sqlite3_api_routines,
    ) -> ::core::ffi::c_int,
>;
#[repr(C)]
#[derive(Debug)]
pub struct sqlite3 {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct sqlite3_file {
    pub pMethods: *const sqlite3_io_methods,
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct sqlite3_io_methods {
    pub iVersion: ::core::ffi::c_int,
    pub xClose: Option<unsafe extern "C" fn(arg1: *mut sqlite3_file) -> ::core::ffi::c_int>,
    pub xRead: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_file,
            arg2: *mut ::core::ffi::c_void,
            iAmt: ::core::ffi::c_int,
            iOfst: sqlite3_int64,
        ) -> ::core::ffi::c_int,
    >,
    pub xWrite: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_file,
            arg2: *const ::core::ffi::c_void,
            iAmt: ::core::ffi::c_int,
            iOfst: sqlite3_int64,
        ) -> ::core::ffi::c_int,
    >,
    pub xTruncate: Option<unsafe extern "C" fn(arg1: *mut sqlite3_file, size: sqlite3_int64) -> ::core::ffi::c_int>,
    pub xSync: Option<unsafe extern "C" fn(arg1: *mut sqlite3_file, flags: ::core::ffi::c_int) -> ::core::ffi::c_int>,
    pub xFileSize:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_file, pSize: *mut sqlite3_int64) -> ::core::ffi::c_int>,
    pub xLock: Option<unsafe extern "C" fn(arg1: *mut sqlite3_file, arg2: ::core::ffi::c_int) -> ::core::ffi::c_int>,
    pub xUnlock: Option<unsafe extern "C" fn(arg1: *mut sqlite3_file, arg2: ::core::ffi::c_int) -> ::core::ffi::c_int>,
    pub xCheckReservedLock:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_file, pResOut: *mut ::core::ffi::c_int) -> ::core::ffi::c_int>,
    pub xFileControl: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_file,
            op: ::core::ffi::c_int,
            pArg: *mut ::core::ffi::c_void,
        ) -> ::core::ffi::c_int,
    >,
    pub xSectorSize: Option<unsafe extern "C" fn(arg1: *mut sqlite3_file) -> ::core::ffi::c_int>,
    pub xDeviceCharacteristics: Option<unsafe extern "C" fn(arg1: *mut sqlite3_file) -> ::core::ffi::c_int>,
    pub xShmMap: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_file,
            iPg: ::core::ffi::c_int,
            pgsz: ::core::ffi::c_int,
            arg2: ::core::ffi::c_int,
            arg3: *mut *mut ::core::ffi::c_void,
        ) -> ::core::ffi::c_int,
    >,
    pub xShmLock: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_file,
            offset: ::core::ffi::c_int,
            n: ::core::ffi::c_int,
            flags: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub xShmBarrier: Option<unsafe extern "C" fn(arg1: *mut sqlite3_file)>,
    pub xShmUnmap:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_file, deleteFlag: ::core::ffi::c_int) -> ::core::ffi::c_int>,
    pub xFetch: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_file,
            iOfst: sqlite3_int64,
            iAmt: ::core::ffi::c_int,
            pp: *mut *mut ::core::ffi::c_void,
        ) -> ::core::ffi::c_int,
    >,
    pub xUnfetch: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_file,
            iOfst: sqlite3_int64,
            p: *mut ::core::ffi::c_void,
        ) -> ::core::ffi::c_int,
    >,
}
#[repr(C)]
#[derive(Debug)]
pub struct sqlite3_mutex {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct sqlite3_vfs {
    pub iVersion: ::core::ffi::c_int,
    pub szOsFile: ::core::ffi::c_int,
    pub mxPathname: ::core::ffi::c_int,
    pub pNext: *mut sqlite3_vfs,
    pub zName: *const ::core::ffi::c_char,
    pub pAppData: *mut ::core::ffi::c_void,
    pub xOpen: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_vfs,
            zName: sqlite3_filename,
            arg2: *mut sqlite3_file,
            flags: ::core::ffi::c_int,
            pOutFlags: *mut ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub xDelete: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_vfs,
            zName: *const ::core::ffi::c_char,
            syncDir: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub xAccess: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_vfs,
            zName: *const ::core::ffi::c_char,
            flags: ::core::ffi::c_int,
            pResOut: *mut ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub xFullPathname: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_vfs,
            zName: *const ::core::ffi::c_char,
            nOut: ::core::ffi::c_int,
            zOut: *mut ::core::ffi::c_char,
        ) -> ::core::ffi::c_int,
    >,
    pub xDlOpen: Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_vfs, zFilename: *const ::core::ffi::c_char) -> *mut ::core::ffi::c_void,
    >,
    pub xDlError: Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_vfs, nByte: ::core::ffi::c_int, zErrMsg: *mut ::core::ffi::c_char),
    >,
    pub xDlSym: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_vfs,
            arg2: *mut ::core::ffi::c_void,
            zSymbol: *const ::core::ffi::c_char,
        ) -> Option<
            unsafe extern "C" fn(
                arg1: *mut sqlite3_vfs,
                arg2: *mut ::core::ffi::c_void,
                zSymbol: *const ::core::ffi::c_char,
            ),
        >,
    >,
    pub xDlClose: Option<unsafe extern "C" fn(arg1: *mut sqlite3_vfs, arg2: *mut ::core::ffi::c_void)>,
    pub xRandomness: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_vfs,
            nByte: ::core::ffi::c_int,
            zOut: *mut ::core::ffi::c_char,
        ) -> ::core::ffi::c_int,
    >,
    pub xSleep:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_vfs, microseconds: ::core::ffi::c_int) -> ::core::ffi::c_int>,
    pub xCurrentTime: Option<unsafe extern "C" fn(arg1: *mut sqlite3_vfs, arg2: *mut f64) -> ::core::ffi::c_int>,
    pub xGetLastError: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_vfs,
            arg2: ::core::ffi::c_int,
            arg3: *mut ::core::ffi::c_char,
        ) -> ::core::ffi::c_int,
    >,
    pub xCurrentTimeInt64:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_vfs, arg2: *mut sqlite3_int64) -> ::core::ffi::c_int>,
    pub xSetSystemCall: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_vfs,
            zName: *const ::core::ffi::c_char,
            arg2: sqlite3_syscall_ptr,
        ) -> ::core::ffi::c_int,
    >,
    pub xGetSystemCall:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_vfs, zName: *const ::core::ffi::c_char) -> sqlite3_syscall_ptr>,
    pub xNextSystemCall: Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_vfs, zName: *const ::core::ffi::c_char) -> *const ::core::ffi::c_char,
    >,
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
#[derive(Debug, Copy, Clone)]
pub struct sqlite3_module {
    pub iVersion: ::core::ffi::c_int,
    pub xCreate: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            pAux: *mut ::core::ffi::c_void,
            argc: ::core::ffi::c_int,
            argv: *const *const ::core::ffi::c_char,
            ppVTab: *mut *mut sqlite3_vtab,
            arg2: *mut *mut ::core::ffi::c_char,
        ) -> ::core::ffi::c_int,
    >,
    pub xConnect: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            pAux: *mut ::core::ffi::c_void,
            argc: ::core::ffi::c_int,
            argv: *const *const ::core::ffi::c_char,
            ppVTab: *mut *mut sqlite3_vtab,
            arg2: *mut *mut ::core::ffi::c_char,
        ) -> ::core::ffi::c_int,
    >,
    pub xBestIndex:
        Option<unsafe extern "C" fn(pVTab: *mut sqlite3_vtab, arg1: *mut sqlite3_index_info) -> ::core::ffi::c_int>,
    pub xDisconnect: Option<unsafe extern "C" fn(pVTab: *mut sqlite3_vtab) -> ::core::ffi::c_int>,
    pub xDestroy: Option<unsafe extern "C" fn(pVTab: *mut sqlite3_vtab) -> ::core::ffi::c_int>,
    pub xOpen: Option<
        unsafe extern "C" fn(pVTab: *mut sqlite3_vtab, ppCursor: *mut *mut sqlite3_vtab_cursor) -> ::core::ffi::c_int,
    >,
    pub xClose: Option<unsafe extern "C" fn(arg1: *mut sqlite3_vtab_cursor) -> ::core::ffi::c_int>,
    pub xFilter: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_vtab_cursor,
            idxNum: ::core::ffi::c_int,
            idxStr: *const ::core::ffi::c_char,
            argc: ::core::ffi::c_int,
            argv: *mut *mut sqlite3_value,
        ) -> ::core::ffi::c_int,
    >,
    pub xNext: Option<unsafe extern "C" fn(arg1: *mut sqlite3_vtab_cursor) -> ::core::ffi::c_int>,
    pub xEof: Option<unsafe extern "C" fn(arg1: *mut sqlite3_vtab_cursor) -> ::core::ffi::c_int>,
    pub xColumn: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_vtab_cursor,
            arg2: *mut sqlite3_context,
            arg3: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub xRowid:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_vtab_cursor, pRowid: *mut sqlite3_int64) -> ::core::ffi::c_int>,
    pub xUpdate: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_vtab,
            arg2: ::core::ffi::c_int,
            arg3: *mut *mut sqlite3_value,
            arg4: *mut sqlite3_int64,
        ) -> ::core::ffi::c_int,
    >,
    pub xBegin: Option<unsafe extern "C" fn(pVTab: *mut sqlite3_vtab) -> ::core::ffi::c_int>,
    pub xSync: Option<unsafe extern "C" fn(pVTab: *mut sqlite3_vtab) -> ::core::ffi::c_int>,
    pub xCommit: Option<unsafe extern "C" fn(pVTab: *mut sqlite3_vtab) -> ::core::ffi::c_int>,
    pub xRollback: Option<unsafe extern "C" fn(pVTab: *mut sqlite3_vtab) -> ::core::ffi::c_int>,
    pub xFindFunction: Option<
        unsafe extern "C" fn(
            pVtab: *mut sqlite3_vtab,
            nArg: ::core::ffi::c_int,
            zName: *const ::core::ffi::c_char,
            pxFunc: *mut Option<
                unsafe extern "C" fn(
                    arg1: *mut sqlite3_context,
                    arg2: ::core::ffi::c_int,
                    arg3: *mut *mut sqlite3_value,
                ),
            >,
            ppArg: *mut *mut ::core::ffi::c_void,
        ) -> ::core::ffi::c_int,
    >,
    pub xRename:
        Option<unsafe extern "C" fn(pVtab: *mut sqlite3_vtab, zNew: *const ::core::ffi::c_char) -> ::core::ffi::c_int>,
    pub xSavepoint:
        Option<unsafe extern "C" fn(pVTab: *mut sqlite3_vtab, arg1: ::core::ffi::c_int) -> ::core::ffi::c_int>,
    pub xRelease:
        Option<unsafe extern "C" fn(pVTab: *mut sqlite3_vtab, arg1: ::core::ffi::c_int) -> ::core::ffi::c_int>,
    pub xRollbackTo:
        Option<unsafe extern "C" fn(pVTab: *mut sqlite3_vtab, arg1: ::core::ffi::c_int) -> ::core::ffi::c_int>,
    pub xShadowName: Option<unsafe extern "C" fn(arg1: *const ::core::ffi::c_char) -> ::core::ffi::c_int>,
    pub xIntegrity: Option<
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
#[derive(Debug, Copy, Clone)]
pub struct sqlite3_index_info {
    pub nConstraint: ::core::ffi::c_int,
    pub aConstraint: *mut sqlite3_index_constraint,
    pub nOrderBy: ::core::ffi::c_int,
    pub aOrderBy: *mut sqlite3_index_orderby,
    pub aConstraintUsage: *mut sqlite3_index_constraint_usage,
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
#[derive(Debug, Copy, Clone)]
pub struct sqlite3_index_constraint {
    pub iColumn: ::core::ffi::c_int,
    pub op: ::core::ffi::c_uchar,
    pub usable: ::core::ffi::c_uchar,
    pub iTermOffset: ::core::ffi::c_int,
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct sqlite3_index_orderby {
    pub iColumn: ::core::ffi::c_int,
    pub desc: ::core::ffi::c_uchar,
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct sqlite3_index_constraint_usage {
    pub argvIndex: ::core::ffi::c_int,
    pub omit: ::core::ffi::c_uchar,
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct sqlite3_vtab {
    pub pModule: *const sqlite3_module,
    pub nRef: ::core::ffi::c_int,
    pub zErrMsg: *mut ::core::ffi::c_char,
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
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
#[derive(Debug, Copy, Clone)]
pub struct sqlite3_snapshot {
    pub hidden: [::core::ffi::c_uchar; 48usize],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct sqlite3_api_routines {
    pub aggregate_context: Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_context, nBytes: ::core::ffi::c_int) -> *mut ::core::ffi::c_void,
    >,
    pub aggregate_count: Option<unsafe extern "C" fn(arg1: *mut sqlite3_context) -> ::core::ffi::c_int>,
    pub bind_blob: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_stmt,
            arg2: ::core::ffi::c_int,
            arg3: *const ::core::ffi::c_void,
            n: ::core::ffi::c_int,
            arg4: Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ) -> ::core::ffi::c_int,
    >,
    pub bind_double: Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_stmt, arg2: ::core::ffi::c_int, arg3: f64) -> ::core::ffi::c_int,
    >,
    pub bind_int: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_stmt,
            arg2: ::core::ffi::c_int,
            arg3: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub bind_int64: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_stmt,
            arg2: ::core::ffi::c_int,
            arg3: sqlite_int64,
        ) -> ::core::ffi::c_int,
    >,
    pub bind_null:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt, arg2: ::core::ffi::c_int) -> ::core::ffi::c_int>,
    pub bind_parameter_count: Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt) -> ::core::ffi::c_int>,
    pub bind_parameter_index:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt, zName: *const ::core::ffi::c_char) -> ::core::ffi::c_int>,
    pub bind_parameter_name:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt, arg2: ::core::ffi::c_int) -> *const ::core::ffi::c_char>,
    pub bind_text: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_stmt,
            arg2: ::core::ffi::c_int,
            arg3: *const ::core::ffi::c_char,
            n: ::core::ffi::c_int,
            arg4: Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ) -> ::core::ffi::c_int,
    >,
    pub bind_text16: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_stmt,
            arg2: ::core::ffi::c_int,
            arg3: *const ::core::ffi::c_void,
            arg4: ::core::ffi::c_int,
            arg5: Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ) -> ::core::ffi::c_int,
    >,
    pub bind_value: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_stmt,
            arg2: ::core::ffi::c_int,
            arg3: *const sqlite3_value,
        ) -> ::core::ffi::c_int,
    >,
    pub busy_handler: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: Option<
                unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void, arg2: ::core::ffi::c_int) -> ::core::ffi::c_int,
            >,
            arg3: *mut ::core::ffi::c_void,
        ) -> ::core::ffi::c_int,
    >,
    pub busy_timeout: Option<unsafe extern "C" fn(arg1: *mut sqlite3, ms: ::core::ffi::c_int) -> ::core::ffi::c_int>,
    pub changes: Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> ::core::ffi::c_int>,
    pub close: Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> ::core::ffi::c_int>,
    pub collation_needed: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *mut ::core::ffi::c_void,
            arg3: Option<
                unsafe extern "C" fn(
                    arg1: *mut ::core::ffi::c_void,
                    arg2: *mut sqlite3,
                    eTextRep: ::core::ffi::c_int,
                    arg3: *const ::core::ffi::c_char,
                ),
            >,
        ) -> ::core::ffi::c_int,
    >,
    pub collation_needed16: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *mut ::core::ffi::c_void,
            arg3: Option<
                unsafe extern "C" fn(
                    arg1: *mut ::core::ffi::c_void,
                    arg2: *mut sqlite3,
                    eTextRep: ::core::ffi::c_int,
                    arg3: *const ::core::ffi::c_void,
                ),
            >,
        ) -> ::core::ffi::c_int,
    >,
    pub column_blob:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt, iCol: ::core::ffi::c_int) -> *const ::core::ffi::c_void>,
    pub column_bytes:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt, iCol: ::core::ffi::c_int) -> ::core::ffi::c_int>,
    pub column_bytes16:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt, iCol: ::core::ffi::c_int) -> ::core::ffi::c_int>,
    pub column_count: Option<unsafe extern "C" fn(pStmt: *mut sqlite3_stmt) -> ::core::ffi::c_int>,
    pub column_database_name:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt, arg2: ::core::ffi::c_int) -> *const ::core::ffi::c_char>,
    pub column_database_name16:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt, arg2: ::core::ffi::c_int) -> *const ::core::ffi::c_void>,
    pub column_decltype:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt, i: ::core::ffi::c_int) -> *const ::core::ffi::c_char>,
    pub column_decltype16:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt, arg2: ::core::ffi::c_int) -> *const ::core::ffi::c_void>,
    pub column_double: Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt, iCol: ::core::ffi::c_int) -> f64>,
    pub column_int:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt, iCol: ::core::ffi::c_int) -> ::core::ffi::c_int>,
    pub column_int64: Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt, iCol: ::core::ffi::c_int) -> sqlite_int64>,
    pub column_name:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt, arg2: ::core::ffi::c_int) -> *const ::core::ffi::c_char>,
    pub column_name16:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt, arg2: ::core::ffi::c_int) -> *const ::core::ffi::c_void>,
    pub column_origin_name:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt, arg2: ::core::ffi::c_int) -> *const ::core::ffi::c_char>,
    pub column_origin_name16:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt, arg2: ::core::ffi::c_int) -> *const ::core::ffi::c_void>,
    pub column_table_name:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt, arg2: ::core::ffi::c_int) -> *const ::core::ffi::c_char>,
    pub column_table_name16:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt, arg2: ::core::ffi::c_int) -> *const ::core::ffi::c_void>,
    pub column_text:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt, iCol: ::core::ffi::c_int) -> *const ::core::ffi::c_uchar>,
    pub column_text16:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt, iCol: ::core::ffi::c_int) -> *const ::core::ffi::c_void>,
    pub column_type:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt, iCol: ::core::ffi::c_int) -> ::core::ffi::c_int>,
    pub column_value:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt, iCol: ::core::ffi::c_int) -> *mut sqlite3_value>,
    pub commit_hook: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void) -> ::core::ffi::c_int>,
            arg3: *mut ::core::ffi::c_void,
        ) -> *mut ::core::ffi::c_void,
    >,
    pub complete: Option<unsafe extern "C" fn(sql: *const ::core::ffi::c_char) -> ::core::ffi::c_int>,
    pub complete16: Option<unsafe extern "C" fn(sql: *const ::core::ffi::c_void) -> ::core::ffi::c_int>,
    pub create_collation: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: ::core::ffi::c_int,
            arg4: *mut ::core::ffi::c_void,
            arg5: Option<
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
    pub create_collation16: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_void,
            arg3: ::core::ffi::c_int,
            arg4: *mut ::core::ffi::c_void,
            arg5: Option<
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
    pub create_function: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: ::core::ffi::c_int,
            arg4: ::core::ffi::c_int,
            arg5: *mut ::core::ffi::c_void,
            xFunc: Option<
                unsafe extern "C" fn(
                    arg1: *mut sqlite3_context,
                    arg2: ::core::ffi::c_int,
                    arg3: *mut *mut sqlite3_value,
                ),
            >,
            xStep: Option<
                unsafe extern "C" fn(
                    arg1: *mut sqlite3_context,
                    arg2: ::core::ffi::c_int,
                    arg3: *mut *mut sqlite3_value,
                ),
            >,
            xFinal: Option<unsafe extern "C" fn(arg1: *mut sqlite3_context)>,
        ) -> ::core::ffi::c_int,
    >,
    pub create_function16: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_void,
            arg3: ::core::ffi::c_int,
            arg4: ::core::ffi::c_int,
            arg5: *mut ::core::ffi::c_void,
            xFunc: Option<
                unsafe extern "C" fn(
                    arg1: *mut sqlite3_context,
                    arg2: ::core::ffi::c_int,
                    arg3: *mut *mut sqlite3_value,
                ),
            >,
            xStep: Option<
                unsafe extern "C" fn(
                    arg1: *mut sqlite3_context,
                    arg2: ::core::ffi::c_int,
                    arg3: *mut *mut sqlite3_value,
                ),
            >,
            xFinal: Option<unsafe extern "C" fn(arg1: *mut sqlite3_context)>,
        ) -> ::core::ffi::c_int,
    >,
    pub create_module: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: *const sqlite3_module,
            arg4: *mut ::core::ffi::c_void,
        ) -> ::core::ffi::c_int,
    >,
    pub data_count: Option<unsafe extern "C" fn(pStmt: *mut sqlite3_stmt) -> ::core::ffi::c_int>,
    pub db_handle: Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt) -> *mut sqlite3>,
    pub declare_vtab:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3, arg2: *const ::core::ffi::c_char) -> ::core::ffi::c_int>,
    pub enable_shared_cache: Option<unsafe extern "C" fn(arg1: ::core::ffi::c_int) -> ::core::ffi::c_int>,
    pub errcode: Option<unsafe extern "C" fn(db: *mut sqlite3) -> ::core::ffi::c_int>,
    pub errmsg: Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> *const ::core::ffi::c_char>,
    pub errmsg16: Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> *const ::core::ffi::c_void>,
    pub exec: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: sqlite3_callback,
            arg4: *mut ::core::ffi::c_void,
            arg5: *mut *mut ::core::ffi::c_char,
        ) -> ::core::ffi::c_int,
    >,
    pub expired: Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt) -> ::core::ffi::c_int>,
    pub finalize: Option<unsafe extern "C" fn(pStmt: *mut sqlite3_stmt) -> ::core::ffi::c_int>,
    pub free: Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
    pub free_table: Option<unsafe extern "C" fn(result: *mut *mut ::core::ffi::c_char)>,
    pub get_autocommit: Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> ::core::ffi::c_int>,
    pub get_auxdata:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_context, arg2: ::core::ffi::c_int) -> *mut ::core::ffi::c_void>,
    pub get_table: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: *mut *mut *mut ::core::ffi::c_char,
            arg4: *mut ::core::ffi::c_int,
            arg5: *mut ::core::ffi::c_int,
            arg6: *mut *mut ::core::ffi::c_char,
        ) -> ::core::ffi::c_int,
    >,
    pub global_recover: Option<unsafe extern "C" fn() -> ::core::ffi::c_int>,
    pub interruptx: Option<unsafe extern "C" fn(arg1: *mut sqlite3)>,
    pub last_insert_rowid: Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> sqlite_int64>,
    pub libversion: Option<unsafe extern "C" fn() -> *const ::core::ffi::c_char>,
    pub libversion_number: Option<unsafe extern "C" fn() -> ::core::ffi::c_int>,
    pub malloc: Option<unsafe extern "C" fn(arg1: ::core::ffi::c_int) -> *mut ::core::ffi::c_void>,
    pub mprintf: Option<unsafe extern "C" fn(arg1: *const ::core::ffi::c_char, ...) -> *mut ::core::ffi::c_char>,
    pub open:
        Option<unsafe extern "C" fn(arg1: *const ::core::ffi::c_char, arg2: *mut *mut sqlite3) -> ::core::ffi::c_int>,
    pub open16:
        Option<unsafe extern "C" fn(arg1: *const ::core::ffi::c_void, arg2: *mut *mut sqlite3) -> ::core::ffi::c_int>,
    pub prepare: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: ::core::ffi::c_int,
            arg4: *mut *mut sqlite3_stmt,
            arg5: *mut *const ::core::ffi::c_char,
        ) -> ::core::ffi::c_int,
    >,
    pub prepare16: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_void,
            arg3: ::core::ffi::c_int,
            arg4: *mut *mut sqlite3_stmt,
            arg5: *mut *const ::core::ffi::c_void,
        ) -> ::core::ffi::c_int,
    >,
    pub profile: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: Option<
                unsafe extern "C" fn(
                    arg1: *mut ::core::ffi::c_void,
                    arg2: *const ::core::ffi::c_char,
                    arg3: sqlite_uint64,
                ),
            >,
            arg3: *mut ::core::ffi::c_void,
        ) -> *mut ::core::ffi::c_void,
    >,
    pub progress_handler: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: ::core::ffi::c_int,
            arg3: Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void) -> ::core::ffi::c_int>,
            arg4: *mut ::core::ffi::c_void,
        ),
    >,
    pub realloc: Option<
        unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void, arg2: ::core::ffi::c_int) -> *mut ::core::ffi::c_void,
    >,
    pub reset: Option<unsafe extern "C" fn(pStmt: *mut sqlite3_stmt) -> ::core::ffi::c_int>,
    pub result_blob: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_context,
            arg2: *const ::core::ffi::c_void,
            arg3: ::core::ffi::c_int,
            arg4: Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ),
    >,
    pub result_double: Option<unsafe extern "C" fn(arg1: *mut sqlite3_context, arg2: f64)>,
    pub result_error: Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_context, arg2: *const ::core::ffi::c_char, arg3: ::core::ffi::c_int),
    >,
    pub result_error16: Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_context, arg2: *const ::core::ffi::c_void, arg3: ::core::ffi::c_int),
    >,
    pub result_int: Option<unsafe extern "C" fn(arg1: *mut sqlite3_context, arg2: ::core::ffi::c_int)>,
    pub result_int64: Option<unsafe extern "C" fn(arg1: *mut sqlite3_context, arg2: sqlite_int64)>,
    pub result_null: Option<unsafe extern "C" fn(arg1: *mut sqlite3_context)>,
    pub result_text: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_context,
            arg2: *const ::core::ffi::c_char,
            arg3: ::core::ffi::c_int,
            arg4: Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ),
    >,
    pub result_text16: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_context,
            arg2: *const ::core::ffi::c_void,
            arg3: ::core::ffi::c_int,
            arg4: Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ),
    >,
    pub result_text16be: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_context,
            arg2: *const ::core::ffi::c_void,
            arg3: ::core::ffi::c_int,
            arg4: Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ),
    >,
    pub result_text16le: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_context,
            arg2: *const ::core::ffi::c_void,
            arg3: ::core::ffi::c_int,
            arg4: Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ),
    >,
    pub result_value: Option<unsafe extern "C" fn(arg1: *mut sqlite3_context, arg2: *mut sqlite3_value)>,
    pub rollback_hook: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
            arg3: *mut ::core::ffi::c_void,
        ) -> *mut ::core::ffi::c_void,
    >,
    pub set_authorizer: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: Option<
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
    pub set_auxdata: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_context,
            arg2: ::core::ffi::c_int,
            arg3: *mut ::core::ffi::c_void,
            arg4: Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ),
    >,
    pub xsnprintf: Option<
        unsafe extern "C" fn(
            arg1: ::core::ffi::c_int,
            arg2: *mut ::core::ffi::c_char,
            arg3: *const ::core::ffi::c_char,
            ...
        ) -> *mut ::core::ffi::c_char,
    >,
    pub step: Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt) -> ::core::ffi::c_int>,
    pub table_column_metadata: Option<
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
    pub thread_cleanup: Option<unsafe extern "C" fn()>,
    pub total_changes: Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> ::core::ffi::c_int>,
    pub trace: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            xTrace: Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void, arg2: *const ::core::ffi::c_char)>,
            arg2: *mut ::core::ffi::c_void,
        ) -> *mut ::core::ffi::c_void,
    >,
    pub transfer_bindings:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt, arg2: *mut sqlite3_stmt) -> ::core::ffi::c_int>,
    pub update_hook: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: Option<
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
    pub user_data: Option<unsafe extern "C" fn(arg1: *mut sqlite3_context) -> *mut ::core::ffi::c_void>,
    pub value_blob: Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> *const ::core::ffi::c_void>,
    pub value_bytes: Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> ::core::ffi::c_int>,
    pub value_bytes16: Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> ::core::ffi::c_int>,
    pub value_double: Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> f64>,
    pub value_int: Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> ::core::ffi::c_int>,
    pub value_int64: Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> sqlite_int64>,
    pub value_numeric_type: Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> ::core::ffi::c_int>,
    pub value_text: Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> *const ::core::ffi::c_uchar>,
    pub value_text16: Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> *const ::core::ffi::c_void>,
    pub value_text16be: Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> *const ::core::ffi::c_void>,
    pub value_text16le: Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> *const ::core::ffi::c_void>,
    pub value_type: Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> ::core::ffi::c_int>,
    pub vmprintf: Option<
        unsafe extern "C" fn(
            arg1: *const ::core::ffi::c_char,
            arg2: *mut ::core::ffi::c_void,
        ) -> *mut ::core::ffi::c_char,
    >,
    pub overload_function: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            zFuncName: *const ::core::ffi::c_char,
            nArg: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub prepare_v2: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: ::core::ffi::c_int,
            arg4: *mut *mut sqlite3_stmt,
            arg5: *mut *const ::core::ffi::c_char,
        ) -> ::core::ffi::c_int,
    >,
    pub prepare16_v2: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_void,
            arg3: ::core::ffi::c_int,
            arg4: *mut *mut sqlite3_stmt,
            arg5: *mut *const ::core::ffi::c_void,
        ) -> ::core::ffi::c_int,
    >,
    pub clear_bindings: Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt) -> ::core::ffi::c_int>,
    pub create_module_v2: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: *const sqlite3_module,
            arg4: *mut ::core::ffi::c_void,
            xDestroy: Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ) -> ::core::ffi::c_int,
    >,
    pub bind_zeroblob: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_stmt,
            arg2: ::core::ffi::c_int,
            arg3: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub blob_bytes: Option<unsafe extern "C" fn(arg1: *mut sqlite3_blob) -> ::core::ffi::c_int>,
    pub blob_close: Option<unsafe extern "C" fn(arg1: *mut sqlite3_blob) -> ::core::ffi::c_int>,
    pub blob_open: Option<
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
    pub blob_read: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_blob,
            arg2: *mut ::core::ffi::c_void,
            arg3: ::core::ffi::c_int,
            arg4: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub blob_write: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_blob,
            arg2: *const ::core::ffi::c_void,
            arg3: ::core::ffi::c_int,
            arg4: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub create_collation_v2: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: ::core::ffi::c_int,
            arg4: *mut ::core::ffi::c_void,
            arg5: Option<
                unsafe extern "C" fn(
                    arg1: *mut ::core::ffi::c_void,
                    arg2: ::core::ffi::c_int,
                    arg3: *const ::core::ffi::c_void,
                    arg4: ::core::ffi::c_int,
                    arg5: *const ::core::ffi::c_void,
                ) -> ::core::ffi::c_int,
            >,
            arg6: Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ) -> ::core::ffi::c_int,
    >,
    pub file_control: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: ::core::ffi::c_int,
            arg4: *mut ::core::ffi::c_void,
        ) -> ::core::ffi::c_int,
    >,
    pub memory_highwater: Option<unsafe extern "C" fn(arg1: ::core::ffi::c_int) -> sqlite3_int64>,
    pub memory_used: Option<unsafe extern "C" fn() -> sqlite3_int64>,
    pub mutex_alloc: Option<unsafe extern "C" fn(arg1: ::core::ffi::c_int) -> *mut sqlite3_mutex>,
    pub mutex_enter: Option<unsafe extern "C" fn(arg1: *mut sqlite3_mutex)>,
    pub mutex_free: Option<unsafe extern "C" fn(arg1: *mut sqlite3_mutex)>,
    pub mutex_leave: Option<unsafe extern "C" fn(arg1: *mut sqlite3_mutex)>,
    pub mutex_try: Option<unsafe extern "C" fn(arg1: *mut sqlite3_mutex) -> ::core::ffi::c_int>,
    pub open_v2: Option<
        unsafe extern "C" fn(
            arg1: *const ::core::ffi::c_char,
            arg2: *mut *mut sqlite3,
            arg3: ::core::ffi::c_int,
            arg4: *const ::core::ffi::c_char,
        ) -> ::core::ffi::c_int,
    >,
    pub release_memory: Option<unsafe extern "C" fn(arg1: ::core::ffi::c_int) -> ::core::ffi::c_int>,
    pub result_error_nomem: Option<unsafe extern "C" fn(arg1: *mut sqlite3_context)>,
    pub result_error_toobig: Option<unsafe extern "C" fn(arg1: *mut sqlite3_context)>,
    pub sleep: Option<unsafe extern "C" fn(arg1: ::core::ffi::c_int) -> ::core::ffi::c_int>,
    pub soft_heap_limit: Option<unsafe extern "C" fn(arg1: ::core::ffi::c_int)>,
    pub vfs_find: Option<unsafe extern "C" fn(arg1: *const ::core::ffi::c_char) -> *mut sqlite3_vfs>,
    pub vfs_register:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_vfs, arg2: ::core::ffi::c_int) -> ::core::ffi::c_int>,
    pub vfs_unregister: Option<unsafe extern "C" fn(arg1: *mut sqlite3_vfs) -> ::core::ffi::c_int>,
    pub xthreadsafe: Option<unsafe extern "C" fn() -> ::core::ffi::c_int>,
    pub result_zeroblob: Option<unsafe extern "C" fn(arg1: *mut sqlite3_context, arg2: ::core::ffi::c_int)>,
    pub result_error_code: Option<unsafe extern "C" fn(arg1: *mut sqlite3_context, arg2: ::core::ffi::c_int)>,
    pub test_control: Option<unsafe extern "C" fn(arg1: ::core::ffi::c_int, ...) -> ::core::ffi::c_int>,
    pub randomness: Option<unsafe extern "C" fn(arg1: ::core::ffi::c_int, arg2: *mut ::core::ffi::c_void)>,
    pub context_db_handle: Option<unsafe extern "C" fn(arg1: *mut sqlite3_context) -> *mut sqlite3>,
    pub extended_result_codes:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3, arg2: ::core::ffi::c_int) -> ::core::ffi::c_int>,
    pub limit: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: ::core::ffi::c_int,
            arg3: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub next_stmt: Option<unsafe extern "C" fn(arg1: *mut sqlite3, arg2: *mut sqlite3_stmt) -> *mut sqlite3_stmt>,
    pub sql: Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt) -> *const ::core::ffi::c_char>,
    pub status: Option<
        unsafe extern "C" fn(
            arg1: ::core::ffi::c_int,
            arg2: *mut ::core::ffi::c_int,
            arg3: *mut ::core::ffi::c_int,
            arg4: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub backup_finish: Option<unsafe extern "C" fn(arg1: *mut sqlite3_backup) -> ::core::ffi::c_int>,
    pub backup_init: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: *mut sqlite3,
            arg4: *const ::core::ffi::c_char,
        ) -> *mut sqlite3_backup,
    >,
    pub backup_pagecount: Option<unsafe extern "C" fn(arg1: *mut sqlite3_backup) -> ::core::ffi::c_int>,
    pub backup_remaining: Option<unsafe extern "C" fn(arg1: *mut sqlite3_backup) -> ::core::ffi::c_int>,
    pub backup_step:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_backup, arg2: ::core::ffi::c_int) -> ::core::ffi::c_int>,
    pub compileoption_get: Option<unsafe extern "C" fn(arg1: ::core::ffi::c_int) -> *const ::core::ffi::c_char>,
    pub compileoption_used: Option<unsafe extern "C" fn(arg1: *const ::core::ffi::c_char) -> ::core::ffi::c_int>,
    pub create_function_v2: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: ::core::ffi::c_int,
            arg4: ::core::ffi::c_int,
            arg5: *mut ::core::ffi::c_void,
            xFunc: Option<
                unsafe extern "C" fn(
                    arg1: *mut sqlite3_context,
                    arg2: ::core::ffi::c_int,
                    arg3: *mut *mut sqlite3_value,
                ),
            >,
            xStep: Option<
                unsafe extern "C" fn(
                    arg1: *mut sqlite3_context,
                    arg2: ::core::ffi::c_int,
                    arg3: *mut *mut sqlite3_value,
                ),
            >,
            xFinal: Option<unsafe extern "C" fn(arg1: *mut sqlite3_context)>,
            xDestroy: Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ) -> ::core::ffi::c_int,
    >,
    pub db_config:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3, arg2: ::core::ffi::c_int, ...) -> ::core::ffi::c_int>,
    pub db_mutex: Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> *mut sqlite3_mutex>,
    pub db_status: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: ::core::ffi::c_int,
            arg3: *mut ::core::ffi::c_int,
            arg4: *mut ::core::ffi::c_int,
            arg5: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub extended_errcode: Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> ::core::ffi::c_int>,
    pub log: Option<unsafe extern "C" fn(arg1: ::core::ffi::c_int, arg2: *const ::core::ffi::c_char, ...)>,
    pub soft_heap_limit64: Option<unsafe extern "C" fn(arg1: sqlite3_int64) -> sqlite3_int64>,
    pub sourceid: Option<unsafe extern "C" fn() -> *const ::core::ffi::c_char>,
    pub stmt_status: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_stmt,
            arg2: ::core::ffi::c_int,
            arg3: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub strnicmp: Option<
        unsafe extern "C" fn(
            arg1: *const ::core::ffi::c_char,
            arg2: *const ::core::ffi::c_char,
            arg3: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub unlock_notify: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: Option<unsafe extern "C" fn(arg1: *mut *mut ::core::ffi::c_void, arg2: ::core::ffi::c_int)>,
            arg3: *mut ::core::ffi::c_void,
        ) -> ::core::ffi::c_int,
    >,
    pub wal_autocheckpoint:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3, arg2: ::core::ffi::c_int) -> ::core::ffi::c_int>,
    pub wal_checkpoint:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3, arg2: *const ::core::ffi::c_char) -> ::core::ffi::c_int>,
    pub wal_hook: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: Option<
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
    pub blob_reopen: Option<unsafe extern "C" fn(arg1: *mut sqlite3_blob, arg2: sqlite3_int64) -> ::core::ffi::c_int>,
    pub vtab_config:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3, op: ::core::ffi::c_int, ...) -> ::core::ffi::c_int>,
    pub vtab_on_conflict: Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> ::core::ffi::c_int>,
    pub close_v2: Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> ::core::ffi::c_int>,
    pub db_filename: Option<
        unsafe extern "C" fn(arg1: *mut sqlite3, arg2: *const ::core::ffi::c_char) -> *const ::core::ffi::c_char,
    >,
    pub db_readonly:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3, arg2: *const ::core::ffi::c_char) -> ::core::ffi::c_int>,
    pub db_release_memory: Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> ::core::ffi::c_int>,
    pub errstr: Option<unsafe extern "C" fn(arg1: ::core::ffi::c_int) -> *const ::core::ffi::c_char>,
    pub stmt_busy: Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt) -> ::core::ffi::c_int>,
    pub stmt_readonly: Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt) -> ::core::ffi::c_int>,
    pub stricmp: Option<
        unsafe extern "C" fn(arg1: *const ::core::ffi::c_char, arg2: *const ::core::ffi::c_char) -> ::core::ffi::c_int,
    >,
    pub uri_boolean: Option<
        unsafe extern "C" fn(
            arg1: *const ::core::ffi::c_char,
            arg2: *const ::core::ffi::c_char,
            arg3: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub uri_int64: Option<
        unsafe extern "C" fn(
            arg1: *const ::core::ffi::c_char,
            arg2: *const ::core::ffi::c_char,
            arg3: sqlite3_int64,
        ) -> sqlite3_int64,
    >,
    pub uri_parameter: Option<
        unsafe extern "C" fn(
            arg1: *const ::core::ffi::c_char,
            arg2: *const ::core::ffi::c_char,
        ) -> *const ::core::ffi::c_char,
    >,
    pub xvsnprintf: Option<
        unsafe extern "C" fn(
            arg1: ::core::ffi::c_int,
            arg2: *mut ::core::ffi::c_char,
            arg3: *const ::core::ffi::c_char,
            arg4: *mut ::core::ffi::c_void,
        ) -> *mut ::core::ffi::c_char,
    >,
    pub wal_checkpoint_v2: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: ::core::ffi::c_int,
            arg4: *mut ::core::ffi::c_int,
            arg5: *mut ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub auto_extension: Option<unsafe extern "C" fn(arg1: Option<unsafe extern "C" fn()>) -> ::core::ffi::c_int>,
    pub bind_blob64: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_stmt,
            arg2: ::core::ffi::c_int,
            arg3: *const ::core::ffi::c_void,
            arg4: sqlite3_uint64,
            arg5: Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ) -> ::core::ffi::c_int,
    >,
    pub bind_text64: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_stmt,
            arg2: ::core::ffi::c_int,
            arg3: *const ::core::ffi::c_char,
            arg4: sqlite3_uint64,
            arg5: Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
            arg6: ::core::ffi::c_uchar,
        ) -> ::core::ffi::c_int,
    >,
    pub cancel_auto_extension: Option<unsafe extern "C" fn(arg1: Option<unsafe extern "C" fn()>) -> ::core::ffi::c_int>,
    pub load_extension: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: *const ::core::ffi::c_char,
            arg4: *mut *mut ::core::ffi::c_char,
        ) -> ::core::ffi::c_int,
    >,
    pub malloc64: Option<unsafe extern "C" fn(arg1: sqlite3_uint64) -> *mut ::core::ffi::c_void>,
    pub msize: Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void) -> sqlite3_uint64>,
    pub realloc64:
        Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void, arg2: sqlite3_uint64) -> *mut ::core::ffi::c_void>,
    pub reset_auto_extension: Option<unsafe extern "C" fn()>,
    pub result_blob64: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_context,
            arg2: *const ::core::ffi::c_void,
            arg3: sqlite3_uint64,
            arg4: Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ),
    >,
    pub result_text64: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_context,
            arg2: *const ::core::ffi::c_char,
            arg3: sqlite3_uint64,
            arg4: Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
            arg5: ::core::ffi::c_uchar,
        ),
    >,
    pub strglob: Option<
        unsafe extern "C" fn(arg1: *const ::core::ffi::c_char, arg2: *const ::core::ffi::c_char) -> ::core::ffi::c_int,
    >,
    pub value_dup: Option<unsafe extern "C" fn(arg1: *const sqlite3_value) -> *mut sqlite3_value>,
    pub value_free: Option<unsafe extern "C" fn(arg1: *mut sqlite3_value)>,
    pub result_zeroblob64:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_context, arg2: sqlite3_uint64) -> ::core::ffi::c_int>,
    pub bind_zeroblob64: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_stmt,
            arg2: ::core::ffi::c_int,
            arg3: sqlite3_uint64,
        ) -> ::core::ffi::c_int,
    >,
    pub value_subtype: Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> ::core::ffi::c_uint>,
    pub result_subtype: Option<unsafe extern "C" fn(arg1: *mut sqlite3_context, arg2: ::core::ffi::c_uint)>,
    pub status64: Option<
        unsafe extern "C" fn(
            arg1: ::core::ffi::c_int,
            arg2: *mut sqlite3_int64,
            arg3: *mut sqlite3_int64,
            arg4: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub strlike: Option<
        unsafe extern "C" fn(
            arg1: *const ::core::ffi::c_char,
            arg2: *const ::core::ffi::c_char,
            arg3: ::core::ffi::c_uint,
        ) -> ::core::ffi::c_int,
    >,
    pub db_cacheflush: Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> ::core::ffi::c_int>,
    pub system_errno: Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> ::core::ffi::c_int>,
    pub trace_v2: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: ::core::ffi::c_uint,
            arg3: Option<
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
    pub expanded_sql: Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt) -> *mut ::core::ffi::c_char>,
    pub set_last_insert_rowid: Option<unsafe extern "C" fn(arg1: *mut sqlite3, arg2: sqlite3_int64)>,
    pub prepare_v3: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: ::core::ffi::c_int,
            arg4: ::core::ffi::c_uint,
            arg5: *mut *mut sqlite3_stmt,
            arg6: *mut *const ::core::ffi::c_char,
        ) -> ::core::ffi::c_int,
    >,
    pub prepare16_v3: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_void,
            arg3: ::core::ffi::c_int,
            arg4: ::core::ffi::c_uint,
            arg5: *mut *mut sqlite3_stmt,
            arg6: *mut *const ::core::ffi::c_void,
        ) -> ::core::ffi::c_int,
    >,
    pub bind_pointer: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_stmt,
            arg2: ::core::ffi::c_int,
            arg3: *mut ::core::ffi::c_void,
            arg4: *const ::core::ffi::c_char,
            arg5: Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ) -> ::core::ffi::c_int,
    >,
    pub result_pointer: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_context,
            arg2: *mut ::core::ffi::c_void,
            arg3: *const ::core::ffi::c_char,
            arg4: Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ),
    >,
    pub value_pointer: Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_value, arg2: *const ::core::ffi::c_char) -> *mut ::core::ffi::c_void,
    >,
    pub vtab_nochange: Option<unsafe extern "C" fn(arg1: *mut sqlite3_context) -> ::core::ffi::c_int>,
    pub value_nochange: Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> ::core::ffi::c_int>,
    pub vtab_collation: Option<
        unsafe extern "C" fn(arg1: *mut sqlite3_index_info, arg2: ::core::ffi::c_int) -> *const ::core::ffi::c_char,
    >,
    pub keyword_count: Option<unsafe extern "C" fn() -> ::core::ffi::c_int>,
    pub keyword_name: Option<
        unsafe extern "C" fn(
            arg1: ::core::ffi::c_int,
            arg2: *mut *const ::core::ffi::c_char,
            arg3: *mut ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub keyword_check:
        Option<unsafe extern "C" fn(arg1: *const ::core::ffi::c_char, arg2: ::core::ffi::c_int) -> ::core::ffi::c_int>,
    pub str_new: Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> *mut sqlite3_str>,
    pub str_finish: Option<unsafe extern "C" fn(arg1: *mut sqlite3_str) -> *mut ::core::ffi::c_char>,
    pub str_appendf: Option<unsafe extern "C" fn(arg1: *mut sqlite3_str, zFormat: *const ::core::ffi::c_char, ...)>,
    pub str_vappendf: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_str,
            zFormat: *const ::core::ffi::c_char,
            arg2: *mut ::core::ffi::c_void,
        ),
    >,
    pub str_append:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_str, zIn: *const ::core::ffi::c_char, N: ::core::ffi::c_int)>,
    pub str_appendall: Option<unsafe extern "C" fn(arg1: *mut sqlite3_str, zIn: *const ::core::ffi::c_char)>,
    pub str_appendchar:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_str, N: ::core::ffi::c_int, C: ::core::ffi::c_char)>,
    pub str_reset: Option<unsafe extern "C" fn(arg1: *mut sqlite3_str)>,
    pub str_errcode: Option<unsafe extern "C" fn(arg1: *mut sqlite3_str) -> ::core::ffi::c_int>,
    pub str_length: Option<unsafe extern "C" fn(arg1: *mut sqlite3_str) -> ::core::ffi::c_int>,
    pub str_value: Option<unsafe extern "C" fn(arg1: *mut sqlite3_str) -> *mut ::core::ffi::c_char>,
    pub create_window_function: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: ::core::ffi::c_int,
            arg4: ::core::ffi::c_int,
            arg5: *mut ::core::ffi::c_void,
            xStep: Option<
                unsafe extern "C" fn(
                    arg1: *mut sqlite3_context,
                    arg2: ::core::ffi::c_int,
                    arg3: *mut *mut sqlite3_value,
                ),
            >,
            xFinal: Option<unsafe extern "C" fn(arg1: *mut sqlite3_context)>,
            xValue: Option<unsafe extern "C" fn(arg1: *mut sqlite3_context)>,
            xInv: Option<
                unsafe extern "C" fn(
                    arg1: *mut sqlite3_context,
                    arg2: ::core::ffi::c_int,
                    arg3: *mut *mut sqlite3_value,
                ),
            >,
            xDestroy: Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ) -> ::core::ffi::c_int,
    >,
    pub normalized_sql: Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt) -> *const ::core::ffi::c_char>,
    pub stmt_isexplain: Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt) -> ::core::ffi::c_int>,
    pub value_frombind: Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> ::core::ffi::c_int>,
    pub drop_modules:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3, arg2: *mut *const ::core::ffi::c_char) -> ::core::ffi::c_int>,
    pub hard_heap_limit64: Option<unsafe extern "C" fn(arg1: sqlite3_int64) -> sqlite3_int64>,
    pub uri_key: Option<
        unsafe extern "C" fn(arg1: *const ::core::ffi::c_char, arg2: ::core::ffi::c_int) -> *const ::core::ffi::c_char,
    >,
    pub filename_database: Option<unsafe extern "C" fn(arg1: *const ::core::ffi::c_char) -> *const ::core::ffi::c_char>,
    pub filename_journal: Option<unsafe extern "C" fn(arg1: *const ::core::ffi::c_char) -> *const ::core::ffi::c_char>,
    pub filename_wal: Option<unsafe extern "C" fn(arg1: *const ::core::ffi::c_char) -> *const ::core::ffi::c_char>,
    pub create_filename: Option<
        unsafe extern "C" fn(
            arg1: *const ::core::ffi::c_char,
            arg2: *const ::core::ffi::c_char,
            arg3: *const ::core::ffi::c_char,
            arg4: ::core::ffi::c_int,
            arg5: *mut *const ::core::ffi::c_char,
        ) -> *const ::core::ffi::c_char,
    >,
    pub free_filename: Option<unsafe extern "C" fn(arg1: *const ::core::ffi::c_char)>,
    pub database_file_object: Option<unsafe extern "C" fn(arg1: *const ::core::ffi::c_char) -> *mut sqlite3_file>,
    pub txn_state:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3, arg2: *const ::core::ffi::c_char) -> ::core::ffi::c_int>,
    pub changes64: Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> sqlite3_int64>,
    pub total_changes64: Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> sqlite3_int64>,
    pub autovacuum_pages: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: Option<
                unsafe extern "C" fn(
                    arg1: *mut ::core::ffi::c_void,
                    arg2: *const ::core::ffi::c_char,
                    arg3: ::core::ffi::c_uint,
                    arg4: ::core::ffi::c_uint,
                    arg5: ::core::ffi::c_uint,
                ) -> ::core::ffi::c_uint,
            >,
            arg3: *mut ::core::ffi::c_void,
            arg4: Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ) -> ::core::ffi::c_int,
    >,
    pub error_offset: Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> ::core::ffi::c_int>,
    pub vtab_rhs_value: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_index_info,
            arg2: ::core::ffi::c_int,
            arg3: *mut *mut sqlite3_value,
        ) -> ::core::ffi::c_int,
    >,
    pub vtab_distinct: Option<unsafe extern "C" fn(arg1: *mut sqlite3_index_info) -> ::core::ffi::c_int>,
    pub vtab_in: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_index_info,
            arg2: ::core::ffi::c_int,
            arg3: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub vtab_in_first:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_value, arg2: *mut *mut sqlite3_value) -> ::core::ffi::c_int>,
    pub vtab_in_next:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_value, arg2: *mut *mut sqlite3_value) -> ::core::ffi::c_int>,
    pub deserialize: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: *mut ::core::ffi::c_uchar,
            arg4: sqlite3_int64,
            arg5: sqlite3_int64,
            arg6: ::core::ffi::c_uint,
        ) -> ::core::ffi::c_int,
    >,
    pub serialize: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: *mut sqlite3_int64,
            arg4: ::core::ffi::c_uint,
        ) -> *mut ::core::ffi::c_uchar,
    >,
    pub db_name:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3, arg2: ::core::ffi::c_int) -> *const ::core::ffi::c_char>,
    pub value_encoding: Option<unsafe extern "C" fn(arg1: *mut sqlite3_value) -> ::core::ffi::c_int>,
    pub is_interrupted: Option<unsafe extern "C" fn(arg1: *mut sqlite3) -> ::core::ffi::c_int>,
    pub stmt_explain:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_stmt, arg2: ::core::ffi::c_int) -> ::core::ffi::c_int>,
    pub get_clientdata:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3, arg2: *const ::core::ffi::c_char) -> *mut ::core::ffi::c_void>,
    pub set_clientdata: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: *const ::core::ffi::c_char,
            arg3: *mut ::core::ffi::c_void,
            arg4: Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ) -> ::core::ffi::c_int,
    >,
    pub setlk_timeout: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: ::core::ffi::c_int,
            arg3: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub set_errmsg: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: ::core::ffi::c_int,
            arg3: *const ::core::ffi::c_char,
        ) -> ::core::ffi::c_int,
    >,
    pub db_status64: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3,
            arg2: ::core::ffi::c_int,
            arg3: *mut sqlite3_int64,
            arg4: *mut sqlite3_int64,
            arg5: ::core::ffi::c_int,
        ) -> ::core::ffi::c_int,
    >,
    pub str_truncate: Option<unsafe extern "C" fn(arg1: *mut sqlite3_str, arg2: ::core::ffi::c_int)>,
    pub str_free: Option<unsafe extern "C" fn(arg1: *mut sqlite3_str)>,
    pub carray_bind: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_stmt,
            arg2: ::core::ffi::c_int,
            arg3: *mut ::core::ffi::c_void,
            arg4: ::core::ffi::c_int,
            arg5: ::core::ffi::c_int,
            arg6: Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
        ) -> ::core::ffi::c_int,
    >,
    pub carray_bind_v2: Option<
        unsafe extern "C" fn(
            arg1: *mut sqlite3_stmt,
            arg2: ::core::ffi::c_int,
            arg3: *mut ::core::ffi::c_void,
            arg4: ::core::ffi::c_int,
            arg5: ::core::ffi::c_int,
            arg6: Option<unsafe extern "C" fn(arg1: *mut ::core::ffi::c_void)>,
            arg7: *mut ::core::ffi::c_void,
        ) -> ::core::ffi::c_int,
    >,
    pub incomplete: Option<unsafe extern "C" fn(arg1: *const ::core::ffi::c_char) -> sqlite3_int64>,
    pub result_str:
        Option<unsafe extern "C" fn(arg1: *mut sqlite3_context, arg2: *mut sqlite3_str, arg3: ::core::ffi::c_int)>,
}
