// swift-tools-version:5.7
// Lies beside the XCFramework, in `target/dist` or in a release. A package that takes a release instead names the address
// of `powersync-sqlite-core.xcframework.zip` with `url:`, and its line in SHA256SUMS with `checksum:`.
import PackageDescription

let package = Package(
    name: "powersync-sqlite-core",
    platforms: [.macOS(.v10_13), .iOS(.v12), .tvOS(.v12), .watchOS(.v9)],
    products: [
        .library(name: "PowerSyncSQLiteCore", targets: ["powersync-sqlite-core"])
    ],
    targets: [
        .binaryTarget(name: "powersync-sqlite-core", path: "powersync-sqlite-core.xcframework")
    ]
)
