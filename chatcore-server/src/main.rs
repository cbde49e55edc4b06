//! The reference server's program.

use std::{env, io::Write as _, process::ExitCode};

use chatcore_server::{
    app,
    config::{Asked, Config},
    logs,
};

/// Messages are many small pieces that one thread makes and another drops: what the system's own
/// allocator is slowest at. Of the program alone; who embeds the library chooses for themselves.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let config = match Config::load(env::args(), env::vars()) {
        Ok(Asked::Run(config)) => *config,
        Ok(Asked::DeadLetters(command)) => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build();
            let done = runtime
                .map_err(anyhow::Error::from)
                .and_then(|runtime| runtime.block_on(command.run()));
            return match done {
                Ok(text) => say(&text),
                Err(error) => fail(&format!("{error:#}"), 1),
            };
        }
        Ok(Asked::Rebuild(command)) => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build();
            let line = |line: &str| {
                say(&format!("{line}\n"));
            };
            let done = runtime
                .map_err(anyhow::Error::from)
                .and_then(|runtime| runtime.block_on(command.run(line)));
            return match done {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => fail(&format!("{error:#}"), 1),
            };
        }
        Ok(Asked::Redact(command)) => {
            return match command.run() {
                Ok(text) => say(&text),
                Err(error) => fail(&format!("{error:#}"), 1),
            };
        }
        Ok(Asked::Say(text)) => return say(&text),
        Err(problems) => return fail(&problems.to_string(), 2),
    };
    let ran = logs::install(&config.logs)
        .map_err(anyhow::Error::from)
        .and_then(|()| {
            Ok(tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()?)
        })
        .and_then(|runtime| runtime.block_on(app::run(config)));
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("{error:#}"), 1),
    }
}

fn say(text: &str) -> ExitCode {
    // Nobody listens: there is nothing else to do.
    let _ = write!(std::io::stdout(), "{text}");
    ExitCode::SUCCESS
}

fn fail(text: &str, code: u8) -> ExitCode {
    // As above.
    let _ = writeln!(std::io::stderr(), "chatcore-server: {text}");
    ExitCode::from(code)
}
