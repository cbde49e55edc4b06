//! What every answer has, and who may call from a page of another site.

use axum::{
    body::Body,
    extract::{MatchedPath, Request, State},
    http::{HeaderValue, Method, Response, StatusCode, header},
    middleware::Next,
    response::IntoResponse,
};
use tokio::time::Instant;

use super::answer::Failure;
use crate::{metrics, protocol::ErrorCode, server::Server, ws::origin_is_allowed};

/// Measures each request by its route, and sets the headers that every answer has.
pub(super) async fn measure(request: Request, next: Next) -> Response<Body> {
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or_else(|| "page".to_owned(), |path| path.as_str().to_owned());
    let began = Instant::now();
    let mut response = next.run(request).await;
    metrics::request(
        route,
        response.status().as_u16(),
        began.elapsed().as_secs_f64(),
    );
    let headers = response.headers_mut();
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Lets pages of configured origins read answers, and refuses those of others.
pub(super) async fn origins(
    State(server): State<Server>,
    request: Request,
    next: Next,
) -> Response<Body> {
    let Some(origin) = request.headers().get(header::ORIGIN).cloned() else {
        return next.run(request).await;
    };
    if !origin_is_allowed(request.headers(), &server.options().origins) {
        let text = "this origin is not allowed; the server's configuration names those that are";
        return Failure::new(ErrorCode::Forbidden, text).into_response();
    }
    let mut response = if request.method() == Method::OPTIONS {
        let mut answer = StatusCode::NO_CONTENT.into_response();
        let headers = answer.headers_mut();
        let (methods, names) = ("GET, POST", "authorization, content-type, traceparent");
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_METHODS,
            HeaderValue::from_static(methods),
        );
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static(names),
        );
        headers.insert(
            header::ACCESS_CONTROL_MAX_AGE,
            HeaderValue::from_static("600"),
        );
        answer
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    response
}
