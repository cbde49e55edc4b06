//! From a `hello` to a session.

use chatcore::{
    error::Error,
    identity::{Identity, Service},
    record::TraceContext,
    routing::Connect,
};
use tokio::sync::mpsc;

use super::{ANSWERS_MAX, Inbound, Outbound, convert::wrong};
use crate::{
    identity::TokenProblem,
    metrics::{Metric, OpenSession, count},
    protocol::{ClientFrame, Close, ErrorCode, Hello, Secret, Welcome, Wrong, parse_frame},
    server::Server,
};

/// Most streams that a `hello` may resume.
const RESUME_MAX: usize = 256;

/// Why there is no session: what to say, and how to end.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) wrong: Wrong,
    pub(crate) close: Close,
}

/// A connection with its session.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) inbound: Inbound,
    pub(crate) outbound: Outbound,
    pub(crate) welcome: Welcome,
}

/// Reads the first frame.
///
/// # Errors
/// Anything but a `hello` that can be read.
pub(crate) fn parse_hello(text: &str) -> Result<Hello, Refusal> {
    let close = Close::NoHello;
    match parse_frame(text) {
        Ok(ClientFrame::Hello(hello)) if hello.resume.len() > RESUME_MAX => Err(Refusal {
            wrong: Wrong::new(ErrorCode::Invalid, "resume has at most 256 streams"),
            close,
        }),
        Ok(ClientFrame::Hello(hello)) => Ok(hello),
        Ok(_) => Err(Refusal {
            wrong: Wrong::new(
                ErrorCode::HelloExpected,
                "expected hello as the first frame",
            ),
            close,
        }),
        Err(error) => Err(Refusal {
            wrong: Wrong::new(error.code, error.text),
            close,
        }),
    }
}

impl Server {
    /// Who the token belongs to.
    pub(crate) async fn authenticate(&self, token: &Secret) -> Result<Identity, Refusal> {
        let authenticated = self.authenticator().authenticate(&token.0).await;
        authenticated.map_err(|error| not_taken(&error))
    }

    /// Which service the token belongs to.
    pub(crate) async fn authenticate_service(&self, token: &Secret) -> Result<Service, Refusal> {
        let authenticated = self.authenticator().authenticate_service(&token.0).await;
        authenticated.map_err(|error| not_taken(&error))
    }

    /// Opens the session that a `hello` asks for.
    pub(crate) async fn open(
        &self,
        hello: Hello,
        trace: Option<TraceContext>,
        transport: &'static str,
    ) -> Result<Opened, Refusal> {
        let identity = self.authenticate(&hello.token).await?;
        let resume = hello.resume.into_iter();
        let connect = Connect {
            identity: identity.clone(),
            device: hello.device,
            resume: resume.map(|(stream, at)| (stream.0, at.into())).collect(),
            trace,
        };
        let session = self.chat().connect(connect).map_err(|error| {
            let wrong = wrong(&error);
            let close = match wrong.code {
                ErrorCode::Overloaded => Close::TooMany,
                ErrorCode::Unavailable if self.is_draining() => Close::Draining,
                ErrorCode::Unavailable => Close::Unsure,
                ErrorCode::Forbidden => Close::Revoked,
                _ => Close::Internal,
            };
            Refusal { wrong, close }
        })?;
        let welcome = self.welcome(session.sender(), &identity);
        let (sender, events) = session.split();
        let halves = (sender.clone(), events);
        let (answers, waiting) = mpsc::channel(ANSWERS_MAX);
        let open = OpenSession::new(transport);
        Ok(Opened {
            inbound: Inbound::new(self.clone(), sender, answers),
            outbound: Outbound::new(self.clone(), halves, waiting, open),
            welcome,
        })
    }
}

/// What to say of a token that was not taken.
fn not_taken(error: &Error) -> Refusal {
    let problem =
        std::error::Error::source(error).and_then(|source| source.downcast_ref::<TokenProblem>());
    count(
        Metric::TokensRefused,
        "reason",
        problem.map_or("other", |p| p.code()),
    );
    let code = ErrorCode::from(error.kind());
    let (code, close) = match (problem, code) {
        (Some(TokenProblem::Expired), _) => (ErrorCode::Expired, Close::Expired),
        (_, ErrorCode::Forbidden) => (ErrorCode::Forbidden, Close::BadToken),
        (_, code) => (code, Close::Internal),
    };
    let wrong = match problem {
        Some(problem) => Wrong::new(code, problem.to_string()),
        None => wrong(error),
    };
    Refusal { wrong, close }
}
