//! The pages: from the folder in a debug build, from inside in a release.

use std::{borrow::Cow, path::Path};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header},
};

/// Nothing but our own files runs or is shown, and no other site may frame a page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data: blob:; font-src 'self'; media-src 'self'; connect-src 'self'; \
    manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static EMBEDDED: &[(&str, &[u8])] = &include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// Answers with a page, or with 404.
pub(super) async fn page(request: Request) -> Response<Body> {
    if request.method() != Method::GET && request.method() != Method::HEAD {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "expected GET");
    }
    let path = request.uri().path().trim_start_matches('/');
    let name = match path {
        "" => Cow::Borrowed("index.html"),
        _ if path.ends_with('/') => Cow::Owned(format!("{path}index.html")),
        _ => Cow::Borrowed(path),
    };
    let Some(media_type) = media_type(&name) else {
        return plain(StatusCode::NOT_FOUND, "no such page");
    };
    match find(&name).await {
        Some(bytes) => answer(bytes, media_type, request.headers(), request.method()),
        None => plain(StatusCode::NOT_FOUND, "no such page"),
    }
}

async fn find(name: &str) -> Option<Cow<'static, [u8]>> {
    if !is_plain(name) {
        return None;
    }
    if let Some((_, bytes)) = EMBEDDED.iter().find(|(path, _)| *path == name) {
        return Some(Cow::Borrowed(bytes));
    }
    if cfg!(debug_assertions) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("web");
        return tokio::fs::read(root.join(name)).await.ok().map(Cow::Owned);
    }
    None
}

/// Only names that can't leave the folder.
fn is_plain(name: &str) -> bool {
    !name.contains(".test.")
        && name.split('/').all(|part| {
            !part.is_empty()
                && !part.starts_with('.')
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        })
}

fn media_type(name: &str) -> Option<&'static str> {
    let (_, ending) = name.rsplit_once('.')?;
    Some(match ending {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        _ => return None,
    })
}

fn answer(
    bytes: Cow<'static, [u8]>,
    media_type: &'static str,
    asked: &HeaderMap,
    method: &Method,
) -> Response<Body> {
    let hash = blake3::hash(&bytes).to_hex();
    let tag = format!("\"{}\"", hash.get(..32).unwrap_or_default());
    let known = asked
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.split(',').any(|one| one.trim() == tag));
    let mut response = if known {
        plain(StatusCode::NOT_MODIFIED, "")
    } else if method == Method::HEAD {
        Response::new(Body::empty())
    } else {
        Response::new(Body::from(bytes.into_owned()))
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    // Ask each time, and get 304: an update is seen at once.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(POLICY),
    );
    headers.insert(
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    );
    // The widget's modules are loaded by pages of other sites; they hold nothing secret.
    if media_type.starts_with("text/javascript") {
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_ORIGIN,
            HeaderValue::from_static("*"),
        );
    }
    if let Ok(tag) = HeaderValue::try_from(tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_not_leave_the_folder() {
        assert!(is_plain("widget/chat-widget.js"));
        for name in [
            "../Cargo.toml",
            "a//b.js",
            ".git/config.js",
            "a/%2e%2e/b.js",
            "a.test.js",
            "a\\b.js",
        ] {
            assert!(!is_plain(name), "{name}");
        }
    }

    #[test]
    fn what_a_browser_has_is_not_sent_again() {
        let ask = |tag: Option<&HeaderValue>| {
            let mut headers = HeaderMap::new();
            if let Some(tag) = tag {
                headers.insert(header::IF_NONE_MATCH, tag.clone());
            }
            answer(Cow::Borrowed(b"x"), "text/css", &headers, &Method::GET)
        };
        let first = ask(None);
        assert_eq!(first.status(), StatusCode::OK);
        let tag = first.headers().get(header::ETAG);
        assert_eq!(ask(tag).status(), StatusCode::NOT_MODIFIED);
    }
}
