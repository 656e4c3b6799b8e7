//! Where tokens can come from.

use crate::support::{Service, run};

#[test]
fn tokens_come_from_flags_files_commands_and_the_environment() {
    let service = Service::start();
    let command = service.token_command();
    let file = command.strip_prefix("cat ").unwrap().to_owned();
    let token = std::fs::read_to_string(&file).unwrap();
    // Editors end files with a newline.
    std::fs::write(&file, format!("{token}\n")).unwrap();
    let arguments = ["--schema", "schema.json", "--once", "app.db"];
    for (flag, variable, value) in [
        ("--token", "ROWTIDE_TOKEN", &token),
        ("--token-file", "ROWTIDE_TOKEN_FILE", &file),
        ("--token-command", "ROWTIDE_TOKEN_COMMAND", &command),
    ] {
        let by_flag =
            run(service.sync(&[&[flag, value.as_str()], &arguments[..]].concat()).env("ROWTIDE_TOKEN", "wrong"));
        assert_eq!((by_flag.code, by_flag.errors.as_str()), (Some(0), ""), "{flag}");
        let by_variable = run(service.sync(&arguments).env(variable, value));
        assert_eq!((by_variable.code, by_variable.errors.as_str()), (Some(0), ""), "{variable}");
    }
    let error = |flag: &str, value: &str| {
        let ended = run(&mut service.sync(&[&[flag, value], &arguments[..]].concat()));
        assert_eq!(ended.code, Some(1));
        ended.errors
    };
    assert!(error("--token-file", "none").contains("cannot read none: "));
    assert!(error("--token-command", "exit 3").contains("the token command has failed: exit status: 3"));
    assert!(error("--token-command", "true").contains("the token command has given nothing"));
    assert!(error("--token-command", "echo a b").contains("the token command has given more than a token"));
    assert!(!error("--token", "secret-token").contains("secret-token"), "errors hold no secrets");
}
