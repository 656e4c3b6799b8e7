rootProject.name = "powersync-sqlite-core"
