// Publishes the AAR that `cargo xtask package` has built. Nothing is compiled here, so that the Android plugin is not needed.

import java.util.Properties

plugins {
    `maven-publish`
    signing
}

val manifest = rootDir.resolve("../Cargo.toml").readText()
version = Regex("(?m)^version = \"([^\"]+)\"").find(manifest)?.groupValues?.get(1)
    ?: error("Cargo.toml of the workspace has no version")

val publisher = Properties().apply { rootDir.resolve("../tool/dist/packages/publisher.properties").reader().use { load(it) } }
group = publisher.getProperty("group")
val artifact: String = publisher.getProperty("artifact")
val aar = rootDir.resolve("../target/dist/$artifact-$version.aar")

publishing {
    publications {
        create<MavenPublication>("aar") {
            artifactId = artifact
            artifact(aar)
            pom {
                name.set(artifact)
                description.set("The PowerSync SQLite extension for Android")
                url.set(publisher.getProperty("home"))
                licenses {
                    license {
                        name.set("Apache License 2.0")
                        url.set("https://www.apache.org/licenses/LICENSE-2.0.txt")
                    }
                }
                developers { developer { name.set(publisher.getProperty("author")) } }
                scm { url.set(publisher.getProperty("home")) }
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
