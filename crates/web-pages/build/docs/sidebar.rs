//! The pages of the documentation in the order in which they are listed. A page that is not here is not part of it.

/// Pages under one heading.
pub(crate) struct Group {
    /// The heading.
    pub(crate) name: &'static str,
    /// The pages: their files in the repository, and what they are called here.
    pub(crate) pages: &'static [(&'static str, &'static str)],
}

/// All of them.
pub(crate) const GROUPS: &[Group] = &[
    Group {
        name: "Start",
        pages: &[
            ("README.md", "Overview"),
            ("docs/examples/README.md", "A todo app, five times"),
            ("docs/glossary.md", "Glossary"),
        ],
    },
    Group {
        name: "Use it with SDKs",
        pages: &[
            ("docs/use-with-sdks.md", "Published SDKs"),
            ("docs/compatibility.md", "Compatibility"),
            ("tool/dist/packages/web/README.md", "Web apps"),
            ("wasm/README.md", "WebAssembly"),
            ("android/README.md", "Android"),
            ("ios/README.md", "Apple platforms"),
            ("dart/README.md", "Dart"),
            ("docs/write-an-sdk.md", "Write an SDK"),
        ],
    },
    Group {
        name: "Sync service",
        pages: &[
            ("docs/service/README.md", "First sync"),
            ("docs/service/configuration.md", "Configuration"),
            ("docs/service/writes.md", "Writes"),
            ("docs/service/operate.md", "Run it for real"),
            ("docs/service/inspector.md", "The inspector"),
            ("docs/service/http.md", "Routes"),
            ("docs/service/postgres.md", "PostgreSQL"),
            ("docs/service/convex.md", "Convex"),
            ("docs/examples/convex/README.md", "Convex: example"),
            ("docs/service/storage.md", "Storage, several processes"),
            ("tool/dist/packages/program/npm/README.md", "Package for npm"),
            ("tool/dist/packages/program/python/README.md", "Package for PyPI"),
        ],
    },
    Group {
        name: "Reference",
        pages: &[
            ("docs/reference/README.md", "All of the extension"),
            ("docs/reference/functions.md", "Functions"),
            ("docs/reference/control.md", "powersync_control"),
            ("docs/reference/sync-client.md", "Sync client"),
            ("docs/reference/instructions.md", "Instructions"),
            ("docs/reference/status.md", "Status"),
            ("docs/reference/schema.md", "Schema, local writes"),
            ("docs/reference/tables.md", "Internal tables"),
            ("docs/reference/protocol.md", "Sync protocol"),
            ("docs/reference/errors.md", "Errors"),
        ],
    },
    Group {
        name: "Internals",
        pages: &[
            ("docs/architecture.md", "Architecture"),
            ("docs/design.md", "Design"),
            ("docs/reliability.md", "Reliability"),
            ("docs/performance.md", "Performance"),
            ("CONTRIBUTING.md", "Contributing"),
            ("tests/hosts/node/README.md", "Tests with an SDK"),
            ("tests/scenarios/README.md", "Scenarios"),
            ("tests/fuzz/README.md", "Fuzzing"),
            ("docs/releasing.md", "Releasing"),
            ("CHANGELOG.md", "Changes"),
            ("SECURITY.md", "Security"),
        ],
    },
];
