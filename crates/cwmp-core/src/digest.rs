//! HTTP authentication as sums (RFC 7616, RFC 7617), without sockets: challenges, credentials, verification.
