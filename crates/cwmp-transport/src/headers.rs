//! What requests and replies of all clients have in common: the head of a request, and what single headers say.

use cwmp_core::{
    io::NetError,
    url::{HttpUrl, Scheme},
};
use hyper::{
    HeaderMap, Method, Request,
    header::{self, HeaderName, HeaderValue},
    http::uri::PathAndQuery,
};

use crate::{body::Outgoing, connector::place};

const USER_AGENT: &str = concat!("cwmpd/", env!("CARGO_PKG_VERSION"));

/// A request for a URL with the headers that every request has.
pub(crate) fn request(method: Method, url: &HttpUrl, body: Outgoing) -> Result<Request<Outgoing>, NetError> {
    let target = PathAndQuery::try_from(url.path_and_query.as_str())
        .map_err(|_| NetError::Connect(format!("{}: the path of the URL is malformed", place(url))))?;
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = target.into();
    let headers = request.headers_mut();
    set(headers, header::HOST, url.authority().as_bytes())?;
    headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
    Ok(request)
}

/// Sets a header to bytes that may not be fit for one.
pub(crate) fn set(headers: &mut HeaderMap, name: HeaderName, value: &[u8]) -> Result<(), NetError> {
    let broken = |_| NetError::Broken(format!("no {name} header can be made"));
    let value = HeaderValue::from_bytes(value).map_err(broken)?;
    headers.insert(name, value);
    Ok(())
}

/// Where a redirect leads; never from https to http.
pub(crate) fn redirect(from: &HttpUrl, headers: &HeaderMap) -> Result<HttpUrl, NetError> {
    let refused = |reason: &str| NetError::Redirect(format!("{}: {reason}", place(from)));
    let location = headers.get(header::LOCATION).ok_or_else(|| refused("there is no Location"))?;
    let location = location.to_str().map_err(|_| refused("the Location is no URL"))?;
    let to = from.join(location.trim()).map_err(|error| refused(&error.to_string()))?;
    if from.scheme == Scheme::Https && to.scheme == Scheme::Http {
        return Err(refused("it leads from https to http"));
    }
    Ok(to)
}

/// Whether the peer ends the connection after this message.
pub(crate) fn says_close(headers: &HeaderMap) -> bool {
    let options = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    options.flat_map(|value| value.split(',')).any(|option| option.trim().eq_ignore_ascii_case("close"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn close_is_one_of_the_connection_options() {
        for (value, close) in
            [("close", true), ("Keep-Alive , CLOSE", true), ("keep-alive", false), ("closed", false)]
        {
            assert_eq!(says_close(&headers(header::CONNECTION, value)), close, "{value}");
        }
    }

    #[test]
    fn a_redirect_from_https_to_http_is_refused() {
        let from = HttpUrl::parse("https://acs/a").unwrap();
        let lead =
            |location| redirect(&from, &headers(header::LOCATION, location)).map(|url| url.to_string());
        assert_eq!(lead("/b").unwrap(), "https://acs/b");
        assert_eq!(lead("https://other:1/").unwrap(), "https://other:1/");
        for location in ["http://acs/a", "http://u:secret@acs/", "ftp://acs/"] {
            let error = lead(location).unwrap_err();
            assert!(matches!(&error, NetError::Redirect(text) if !text.contains("secret")), "{error}");
        }
        assert!(redirect(&from, &HeaderMap::new()).is_err());
    }
}
