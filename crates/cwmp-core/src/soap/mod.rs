//! How messages look on the wire: SOAP 1.1 envelopes in the CWMP namespaces (TR-069a6 3.5).
