// Publishes the AAR that `cargo xtask package` has built. Nothing is compiled here, so that the Android plugin is not needed.

plugins {
    `maven-publish`
    signing
}

val manifest = rootDir.resolve("../Cargo.toml").readText()
version = Regex("(?m)^version = \"([^\"]+)\"").find(manifest)?.groupValues?.get(1)
    ?: error("Cargo.toml of the workspace has no version")

val artifact: String by project
val aar = rootDir.resolve("../target/dist/$artifact-$version.aar")

publishing {
    publications {
        create<MavenPublication>("aar") {
            artifactId = artifact
            artifact(aar)
            pom {
                name.set(artifact)
                description.set("The PowerSync SQLite extension for Android")
                licenses {
                    license {
                        name.set("Apache License 2.0")
                        url.set("https://www.apache.org/licenses/LICENSE-2.0.txt")
                    }
                }
            }
        }
    }
    repositories {
        // `gradle publish -PrepositoryUrl=… -PrepositoryUser=… -PrepositoryPassword=…`; without, `publishToMavenLocal`.
        providers.gradleProperty("repositoryUrl").orNull?.let { address ->
            maven {
                url = uri(address)
                credentials {
                    username = providers.gradleProperty("repositoryUser").orNull
                    password = providers.gradleProperty("repositoryPassword").orNull
                }
            }
        }
    }
}

signing {
    isRequired = providers.gradleProperty("repositoryUrl").isPresent
    sign(publishing.publications["aar"])
}
