//! Where the store is, and as whom to log in.

use std::{fmt, str::FromStr};

use chatcore::error::{Error, ErrorKind, Result};

const PARSE: &str = "read the store's address";
/// What an address looks like, for who wrote another one.
const EXPECTED: &str = "redis://[user:password@]host[:port] or redis+sentinel://[user:password@]host:port,.../name\
     [?sentinel_user=user&sentinel_password=password]; with TLS rediss:// or rediss+sentinel://";
const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;

/// A secret: neither printed nor logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps the text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// As whom to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The ACL user; the default one if there is none.
    pub user: Option<String>,
    /// Its password.
    pub password: Secret,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct HostPort {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// How the primary is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// It is this server, or nobody is.
    Direct(HostPort),
    /// A majority of these Sentinels names it.
    BySentinels {
        /// All of them: the majority is counted over this list.
        sentinels: Vec<HostPort>,
        /// What they call the primary.
        name: String,
    },
}

/// Where the store is: `redis://host:port`, or `redis+sentinel://host:port,host:port/name`, either
/// with `user:password@` in front of the host; Sentinels that want a login of their own get that of
/// `?sentinel_user=user&sentinel_password=password` after the name. What has a special character in
/// a login is written as `%40` for `@`. `rediss://` and `rediss+sentinel://` are the same over TLS, to
/// Sentinels too.
///
/// ```
/// use chatcore_keydb::Address;
///
/// let address: Address = "redis+sentinel://:secret@10.0.0.1:26379,10.0.0.2:26379/chat".parse()?;
/// assert!(!format!("{address:?} {address}").contains("secret"));
/// # Ok::<(), chatcore::error::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// How the primary is found.
    pub found: Found,
    /// As whom to log in to it.
    pub login: Option<Login>,
    /// As whom to ask the Sentinels; without a login if there is none.
    pub sentinel_login: Option<Login>,
    /// Whether all of it goes over TLS.
    pub is_tls: bool,
}

impl fmt::Display for Address {
    /// Without the logins.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "rediss" } else { "redis" };
        match &self.found {
            Found::Direct(server) => write!(f, "{scheme}://{server}"),
            Found::BySentinels { sentinels, name } => {
                let all: Vec<String> = sentinels.iter().map(HostPort::to_string).collect();
                write!(f, "{scheme}+sentinel://{}/{name}", all.join(","))
            }
        }
    }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        // The text is never repeated: it may hold a password.
        let invalid = |what: &'static str| {
            Error::new(ErrorKind::Invalid, PARSE)
                .with_context("found", what)
                .with_context("expected", EXPECTED)
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(|| invalid("no scheme"))?;
        let (scheme, is_tls) = match scheme {
            "rediss" => ("redis", true),
            "rediss+sentinel" => ("redis+sentinel", true),
            other => (other, false),
        };
        let (login, rest) = match rest.rsplit_once('@') {
            Some((login, rest)) => (Some(parse_login(login).map_err(invalid)?), rest),
            None => (None, rest),
        };
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (path, query) = match path.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path, None),
        };
        let sentinel_login = query.map(parse_query).transpose().map_err(invalid)?;
        let servers = |port| {
            let all = hosts.split(',').map(|host| parse_host(host, port));
            all.collect::<Result<Vec<_>, _>>().map_err(invalid)
        };
        let found = match scheme {
            "redis" if query.is_some() => {
                return Err(invalid("a login for Sentinels without any"));
            }
            "redis" if !path.is_empty() => {
                return Err(invalid(
                    "a database number: give each deployment a key prefix instead",
                ));
            }
            "redis" => match servers(PORT)?.as_slice() {
                [server] => Found::Direct(server.clone()),
                _ => return Err(invalid("several servers without Sentinel")),
            },
            "redis+sentinel" if path.is_empty() => {
                return Err(invalid("no name of the primary"));
            }
            "redis+sentinel" => Found::BySentinels {
                sentinels: servers(SENTINEL_PORT)?,
                name: path.to_owned(),
            },
            _ => return Err(invalid("an unknown scheme")),
        };
        Ok(Self {
            found,
            login,
            sentinel_login,
            is_tls,
        })
    }
}

fn parse_login(text: &str) -> Result<Login, &'static str> {
    let (user, password) = text.split_once(':').ok_or("a user without a password")?;
    let user = percent_decoded(user)?;
    Ok(Login {
        user: (!user.is_empty()).then_some(user),
        password: Secret(percent_decoded(password)?),
    })
}

/// The login for Sentinels.
fn parse_query(text: &str) -> Result<Login, &'static str> {
    let (mut user, mut password) = (None, None);
    for pair in text.split('&') {
        let (name, value) = pair.split_once('=').ok_or("a parameter without a value")?;
        let place = match name {
            "sentinel_user" => &mut user,
            "sentinel_password" => &mut password,
            _ => return Err("an unknown parameter"),
        };
        if place.replace(percent_decoded(value)?).is_some() {
            return Err("a parameter that comes twice");
        }
    }
    let password = password.ok_or("a login for Sentinels without a password")?;
    Ok(Login {
        user: user.filter(|user| !user.is_empty()),
        password: Secret(password),
    })
}

fn percent_decoded(text: &str) -> Result<String, &'static str> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|b| char::from(b).to_digit(16));
        let (high, low) = (digit(), digit());
        let code = high
            .zip(low)
            .and_then(|(h, l)| u8::try_from(h * 16 + l).ok());
        bytes.push(code.ok_or("a '%' that is not followed by two hexadecimal digits")?);
    }
    String::from_utf8(bytes).map_err(|_| "a login that is not UTF-8")
}

fn parse_host(text: &str, default_port: u16) -> Result<HostPort, &'static str> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or("a '[' without its ']'")?;
            (host, port.strip_prefix(':'))
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = port.map_or(Ok(default_port), str::parse);
    if host.is_empty() {
        return Err("no host");
    }
    Ok(HostPort {
        host: host.to_owned(),
        port: port.map_err(|_| "a port that is no number up to 65535")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(host: &str, port: u16) -> HostPort {
        HostPort {
            host: host.to_owned(),
            port,
        }
    }

    #[test]
    fn addresses_are_read() {
        let direct: Address = "redis://store".parse().unwrap();
        assert_eq!(direct.found, Found::Direct(server("store", 6379)));
        assert_eq!(direct.login, None);
        let six: Address = "redis://[::1]:7000".parse().unwrap();
        assert_eq!(six.found, Found::Direct(server("::1", 7000)));
        assert_eq!(six.to_string(), "redis://[::1]:7000");
        let sentinels: Address = "redis+sentinel://chat:p%40s:s@a:1,b/main".parse().unwrap();
        let found = Found::BySentinels {
            sentinels: vec![server("a", 1), server("b", 26379)],
            name: "main".to_owned(),
        };
        assert_eq!(sentinels.found, found);
        let login = sentinels.login.clone().unwrap();
        assert_eq!(login.user.as_deref(), Some("chat"));
        assert_eq!(login.password.expose(), "p@s:s");
        assert_eq!(sentinels.to_string(), "redis+sentinel://a:1,b:26379/main");
        assert_eq!(sentinels.sentinel_login, None);
        assert!(!sentinels.is_tls);
        for text in ["rediss://store:6380", "rediss+sentinel://a:1,b:26379/main"] {
            let sealed: Address = text.parse().unwrap();
            assert!(sealed.is_tls);
            assert_eq!(sealed.to_string(), text);
        }
    }

    #[test]
    fn sentinels_may_have_a_login_of_their_own() {
        let text = "redis+sentinel://:one@a/main?sentinel_user=watch&sentinel_password=t%26wo";
        let address: Address = text.parse().unwrap();
        let login = address.sentinel_login.clone().unwrap();
        assert_eq!(login.user.as_deref(), Some("watch"));
        assert_eq!(login.password.expose(), "t&wo");
        assert_eq!(address.login.clone().unwrap().password.expose(), "one");
        assert_eq!(address.to_string(), "redis+sentinel://a:26379/main");
        assert!(!format!("{address:?}").contains("t&wo"));
        let text = "redis+sentinel://a/main?sentinel_password=two";
        let login = text.parse::<Address>().unwrap().sentinel_login.unwrap();
        assert_eq!(login.user, None);
    }

    #[test]
    fn a_wrong_address_says_what_is_wrong_and_no_password() {
        for (text, what) in [
            ("store:6379", "no scheme"),
            ("http://store", "unknown scheme"),
            ("redis://", "no host"),
            ("redis://a,b", "several servers"),
            ("redis://a:99999", "port"),
            ("redis://a/3", "key prefix"),
            ("redis+sentinel://a:1,b:2", "no name"),
            ("rediss://a,b", "several servers"),
            ("redis://secret@a", "without a password"),
            ("redis://u:secret%4@a", "hexadecimal"),
            ("redis://a/?sentinel_password=secret", "without any"),
            ("redis+sentinel://a/?sentinel_password=secret", "no name"),
            ("redis+sentinel://a/b?sentinel_user=u", "without a password"),
            ("redis+sentinel://a/b?password=secret", "unknown parameter"),
            ("redis+sentinel://a/b?sentinel_password", "without a value"),
            (
                "redis+sentinel://a/b?sentinel_password=secret&sentinel_password=x",
                "comes twice",
            ),
        ] {
            let error = text.parse::<Address>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            let said = error.to_string();
            assert!(said.contains(what), "{text}: {said}");
            assert!(!said.contains("secret"), "{said}");
        }
    }
}
