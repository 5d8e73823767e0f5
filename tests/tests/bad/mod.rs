//! What a bad ACS sends, case by case.

use cwmp_acs::{Step, script::ScriptedReply};
use cwmp_core::limits;

use super::{CODE, Fail, Fault, FaultOf, Must, SoapFault, Work};

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const CWMP: &str = "urn:dslforum-org:cwmp-1-2";
const ENVELOPE: &str = "the ACS sent no valid envelope: ";

/// An envelope around a message.
pub(crate) fn envelope(header: &str, body: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\
         <s:Envelope xmlns:s=\"{SOAP}\" xmlns:cwmp=\"{CWMP}\" \
         xmlns:e=\"http://schemas.xmlsoap.org/soap/encoding/\" \
         xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">\
         <s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    )
}

/// A call with an ID.
pub(crate) fn call(header: &str, body: &str) -> String {
    envelope(&format!("<cwmp:ID s:mustUnderstand=\"1\">bad</cwmp:ID>{header}"), body)
}

/// A ParameterValueStruct.
pub(crate) fn value(name: &str, kind: &str, text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    format!(
        "<ParameterValueStruct><Name>{name}</Name><Value xsi:type=\"{kind}\">{text}</Value></ParameterValueStruct>"
    )
}

/// A SetParameterValues.
pub(crate) fn set_body(values: &str) -> String {
    format!(
        "<cwmp:SetParameterValues><ParameterList e:arrayType=\"cwmp:ParameterValueStruct[1]\">{values}</ParameterList>\
         <ParameterKey></ParameterKey></cwmp:SetParameterValues>"
    )
}

/// A sound call that sets the provisioning code.
pub(crate) fn set_code(text: &str) -> String {
    call("", &set_body(&value(CODE, "xsd:string", text)))
}

/// The provisioning code beside another value: neither may be taken.
fn set_with(name: &str, kind: &str, text: &str) -> String {
    set_body(&(value(CODE, "xsd:string", "half") + &value(name, kind, text)))
}

fn names(list: &str) -> String {
    format!(
        "<cwmp:GetParameterValues><ParameterNames e:arrayType=\"xsd:string[1]\">{list}</ParameterNames>\
         </cwmp:GetParameterValues>"
    )
}

fn reboot(key: &str) -> String {
    format!("<cwmp:Reboot><CommandKey>{key}</CommandKey></cwmp:Reboot>")
}

/// Calls that are sound XML.
pub(crate) fn calls() -> Vec<(String, Vec<u8>, Must)> {
    let interval = "Device.ManagementServer.PeriodicInformInterval";
    let key = "<ParameterKey>x</ParameterKey>";
    let add = |name: &str| format!("<cwmp:AddObject><ObjectName>{name}</ObjectName>{key}</cwmp:AddObject>");
    let delete =
        |name: &str| format!("<cwmp:DeleteObject><ObjectName>{name}</ObjectName>{key}</cwmp:DeleteObject>");
    let list = |path: &str, next: &str| {
        format!(
            "<cwmp:GetParameterNames><ParameterPath>{path}</ParameterPath><NextLevel>{next}</NextLevel>\
             </cwmp:GetParameterNames>"
        )
    };
    let table = "Device.ManagementServer.InformParameter.";
    let long = "x".repeat(limits::PARAMETER_NAME + 1);
    let many = "<string>Device.DeviceInfo.</string>".repeat(limits::ARRAY_ENTRIES + 1);
    let unset = set_body("").replace("[1]", "[0]");
    let cases = [
        ("a method that nobody knows", "<cwmp:MakeCoffee/>".to_owned(), Fault(9000)),
        (
            "a vendor's method",
            "<cwmp:X_00D09E_Coffee><Sugar>2</Sugar></cwmp:X_00D09E_Coffee>".into(),
            Fault(9000),
        ),
        ("a method of the other side", "<cwmp:Kicked/>".into(), Fault(9000)),
        ("a method without the arguments that it needs", "<cwmp:Download/>".into(), Fault(9003)),
        ("an optional method that is not offered", "<cwmp:SetVouchers/>".into(), Fault(9000)),
        ("no names", "<cwmp:GetParameterValues/>".into(), Fault(9003)),
        ("an unknown name", names("<string>Device.Nothing</string>"), Fault(9005)),
        (
            "a good and an unknown name",
            names(&format!("<string>{CODE}</string><string>Device.X</string>")),
            Fault(9005),
        ),
        ("another root", names("<string>InternetGatewayDevice.</string>"), Fault(9005)),
        ("an object without its dot", names("<string>Device.DeviceInfo</string>"), Fault(9005)),
        ("a parameter with a dot", names(&format!("<string>{CODE}.</string>")), Fault(9005)),
        ("an instance that is not there", names(&format!("<string>{table}77.</string>")), Fault(9005)),
        ("an instance number that is none", names(&format!("<string>{table}0.</string>")), Fault(9005)),
        (
            "an instance number without end",
            names(&format!("<string>{table}{}.</string>", "9".repeat(200))),
            Fault(9005),
        ),
        ("a name that is too long", names(&format!("<string>Device.{long}</string>")), Fault(9003)),
        ("a wildcard", names("<string>Device.*.</string>"), Fault(9005)),
        ("a path upwards", names("<string>Device.DeviceInfo.../../etc/passwd</string>"), Fault(9005)),
        ("too many names", names(&many), Fault(9004)),
        (
            "an array that claims to be huge",
            names(&format!("<string>{CODE}</string>")).replace("[1]", "[999999999]"),
            Work,
        ),
        (
            "an array that claims to be negative",
            names(&format!("<string>{CODE}</string>")).replace("[1]", "[-1]"),
            Work,
        ),
        ("no NextLevel", list("Device.", "").replace("<NextLevel></NextLevel>", ""), Fault(9003)),
        ("NextLevel that is none", list("Device.", "maybe"), Fault(9003)),
        ("NextLevel of a parameter", list(CODE, "1"), Fault(9003)),
        ("names of nothing", list("Device.Nothing.", "0"), Fault(9005)),
        ("nothing to set", unset, Work),
        (
            "a set without its list",
            "<cwmp:SetParameterValues><ParameterKey/></cwmp:SetParameterValues>".into(),
            Fault(9003),
        ),
        (
            "a set without a value",
            set_body("<ParameterValueStruct><Name>Device.X</Name></ParameterValueStruct>"),
            Fault(9003),
        ),
        (
            "a value of the wrong type",
            set_with(interval, "xsd:dateTime", "2026-01-01T00:00:00Z"),
            FaultOf(9003, 9006),
        ),
        ("a value that is no number", set_with(interval, "xsd:unsignedInt", "soon"), FaultOf(9003, 9007)),
        ("a value out of range", set_with(interval, "xsd:unsignedInt", "0"), FaultOf(9003, 9007)),
        ("a value beyond its type", set_with(interval, "xsd:unsignedInt", "4294967296"), FaultOf(9003, 9007)),
        ("a negative value", set_with(interval, "xsd:unsignedInt", "-1"), FaultOf(9003, 9007)),
        (
            "a value that is too long",
            set_with("Device.ManagementServer.Username", "xsd:string", &long),
            FaultOf(9003, 9007),
        ),
        (
            "a URL that is none",
            set_with("Device.ManagementServer.URL", "xsd:string", "gopher://x"),
            FaultOf(9003, 9007),
        ),
        (
            "a read-only parameter",
            set_with("Device.DeviceInfo.SerialNumber", "xsd:string", "2"),
            FaultOf(9003, 9008),
        ),
        ("an unknown parameter", set_with("Device.Nothing", "xsd:string", "2"), FaultOf(9003, 9005)),
        ("an object", set_with("Device.DeviceInfo.", "xsd:string", "2"), FaultOf(9003, 9005)),
        (
            "a ParameterKey that is too long",
            set_body(&value(CODE, "xsd:string", "x"))
                .replace("<ParameterKey>", &format!("<ParameterKey>{long}")),
            Fault(9003),
        ),
        ("the same parameter twice", set_body(&value(CODE, "xsd:string", "one").repeat(2)), Fault(9003)),
        ("a row of no table", add("Device.DeviceInfo."), Fault(9005)),
        ("a row of nothing", add("Device.Nothing."), Fault(9005)),
        ("a row without the dot", add("Device.ManagementServer.InformParameter"), Fault(9005)),
        ("a row of a row", add(&format!("{table}1.")), Fault(9005)),
        ("deleting what is not there", delete(&format!("{table}77.")), Fault(9005)),
        ("deleting a whole table", delete(table), Fault(9005)),
        ("deleting a single object", delete("Device.DeviceInfo."), Fault(9005)),
        ("a CommandKey that is too long", reboot(&long), Fault(9003)),
        ("a reboot without a key", "<cwmp:Reboot/>".into(), Fault(9003)),
    ];
    let understood = "<x:Price xmlns:x=\"urn:x\" s:mustUnderstand=\"1\">7</x:Price>";
    let ignored = "<x:Price xmlns:x=\"urn:x\">7</x:Price>";
    let id = "x".repeat(10_000);
    let get = names(&format!("<string>{CODE}</string>"));
    let headers = [
        ("a header that must be understood", call(understood, &get), SoapFault("MustUnderstand")),
        ("a header that need not be understood", call(ignored, &get), Work),
        ("an unknown method without an ID", envelope("", "<cwmp:MakeCoffee/>"), Fault(9000)),
        ("an ID without end", envelope(&format!("<cwmp:ID>{id}</cwmp:ID>"), &get), Fail(ENVELOPE)),
    ];
    let cases = cases.into_iter().map(|(case, body, must)| (case, call("", &body), must));
    cases.chain(headers).map(|(case, text, must)| (case.to_owned(), text.into_bytes(), must)).collect()
}

/// Bytes that are no envelope of CWMP.
pub(crate) fn no_envelopes() -> Vec<(String, Vec<u8>, Must)> {
    let sound = set_code("half");
    let document_type = |text: &str, inside: &str| {
        let declared = format!("<!DOCTYPE e [{text}]><s:Envelope ");
        set_code("half").replacen("<s:Envelope ", &declared, 1).replace("half", inside).into_bytes()
    };
    let laughs: String =
        (1..20).map(|n| format!("<!ENTITY a{n} \"{}\">", format!("&a{};", n - 1).repeat(10))).collect();
    let deep = 10_000;
    let nested =
        call("", &format!("<cwmp:Reboot>{}{}</cwmp:Reboot>", "<a>".repeat(deep), "</a>".repeat(deep)));
    let attributes: String = (0..limits::ELEMENT_ATTRIBUTES + 1).map(|n| format!(" a{n}=\"\"")).collect();
    let elements =
        call("", &format!("<cwmp:Reboot>{}</cwmp:Reboot>", "<a/>".repeat(limits::ENVELOPE_ELEMENTS)));
    let large = set_code(&"x".repeat(limits::ENVELOPE_BYTES));
    let utf_16: Vec<u8> = sound.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let second = sound.replace("</s:Body>", "<cwmp:GetRPCMethods/></s:Body>");
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nonsense", b"nonsense".to_vec()),
        ("blanks", b"  \r\n ".to_vec()),
        ("zeros", vec![0; 100]),
        ("HTML", b"<!DOCTYPE html><html><body><h1>It works!</h1></body></html>".to_vec()),
        ("HTML without a type", b"<html><body>Log in<br></body></html>".to_vec()),
        ("JSON", b"{\"method\": \"Reboot\"}".to_vec()),
        ("another root", sound.replace("s:Envelope", "s:Letter").into_bytes()),
        ("SOAP 1.2", sound.replace(SOAP, "http://www.w3.org/2003/05/soap-envelope").into_bytes()),
        ("no body", format!("<s:Envelope xmlns:s=\"{SOAP}\"/>").into_bytes()),
        ("an empty body", envelope("", "").into_bytes()),
        ("a second message", second.into_bytes()),
        (
            "an undeclared prefix",
            sound.replace("cwmp:SetParameterValues", "cpe:SetParameterValues").into_bytes(),
        ),
        ("tags that cross", sound.replace("</Name><Value", "</Value><Value").into_bytes()),
        ("an attribute twice", sound.replace("s:mustUnderstand=\"1\"", "a=\"1\" a=\"2\"").into_bytes()),
        ("an entity that nobody knows", sound.replace("half", "&half;").into_bytes()),
        ("a character that XML has not", sound.replace("half", "&#0;").into_bytes()),
        ("something behind the end", format!("{sound}<more/>").into_bytes()),
        ("UTF-16", utf_16),
        (
            "no UTF-8",
            sound
                .replace("half", "\u{fffd}")
                .into_bytes()
                .into_iter()
                .map(|b| if b == 0xef { 0xff } else { b })
                .collect(),
        ),
        ("a document type", document_type("", "half")),
        ("a file of the box", document_type("<!ENTITY f SYSTEM \"file:///etc/passwd\">", "&f;")),
        ("a billion laughs", document_type(&format!("<!ENTITY a0 \"ha\">{laughs}"), "&a19;")),
        ("10000 levels", nested.into_bytes()),
        (
            "too many attributes",
            sound.replace("<ParameterKey>", &format!("<ParameterKey{attributes}>")).into_bytes(),
        ),
        ("too many elements", elements.into_bytes()),
        ("a tag without end", format!("<s:Envelope {}", "a".repeat(100_000)).into_bytes()),
    ];
    let mut cases: Vec<_> =
        cases.into_iter().map(|(case, bytes)| (case.to_owned(), bytes, Fail(ENVELOPE))).collect();
    let elsewhere = sound.replace(CWMP, "urn:example").into_bytes();
    cases.push(("another namespace".to_owned(), elsewhere, SoapFault("MustUnderstand")));
    let size = "the reply is larger than 1048576 bytes";
    cases.push(("more than a megabyte".to_owned(), large.into_bytes(), Fail(size)));
    cases
}

fn raw(text: impl Into<Vec<u8>>) -> Vec<Step> {
    vec![Step::until(""), Step::Raw { bytes: text.into().into(), close: true }]
}

/// Replies to the empty POST that are bad as HTTP.
pub(crate) fn replies() -> Vec<(String, Vec<Step>, &'static str)> {
    const LOST: &str = "connection lost";
    let body = set_code("half");
    let lying = |length: &str| format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
    let chunked = |text: &str| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{text}");
    let status = |status| vec![Step::until(""), Step::Status(status)];
    let end = |step| vec![Step::until(""), step];
    let cases = vec![
        ("close", end(Step::Close), LOST),
        ("reset", end(Step::Reset), LOST),
        ("400", status(400), "the ACS answered with HTTP status 400"),
        ("404", status(404), "the ACS answered with HTTP status 404"),
        ("500", status(500), "the ACS answered with HTTP status 500"),
        ("503", status(503), "the ACS answered with HTTP status 503"),
        ("a page", end(Step::Reply(ScriptedReply::envelope("<html><body>Welcome</body></html>"))), ENVELOPE),
        ("no HTTP", raw("220 mail.example ESMTP\r\n"), LOST),
        ("zeros", raw(vec![0; 64]), LOST),
        ("half a status line", raw("HTTP/1.1 2"), LOST),
        ("half a head", raw("HTTP/1.1 200 OK\r\nContent-Le"), LOST),
        ("half a body", raw(lying(&(body.len() + 1).to_string())), LOST),
        ("a giant length", raw(lying("99999999999")), "the reply is larger than 1048576 bytes"),
        ("a length beyond all numbers", raw(lying(&"9".repeat(40))), LOST),
        ("a negative length", raw(lying("-1")), LOST),
        ("two lengths", raw(lying("5\r\nContent-Length: 6")), LOST),
        ("a length that is none", raw(lying("many")), LOST),
        ("a giant head", raw(format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(200_000))), LOST),
        ("many headers", raw(format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(20_000))), LOST),
        ("garbage for a chunk", raw(chunked("zzz\r\nhello\r\n0\r\n\r\n")), LOST),
        ("a giant chunk", raw(chunked("FFFFFFFFFFFFFFFFF\r\nhello")), LOST),
        ("a chunk that ends early", raw(chunked("ff\r\nhello")), LOST),
        ("chunks without an end", raw(chunked("5\r\nhello\r\n")), LOST),
        (
            "chunks beyond a megabyte",
            raw(chunked(&format!("1000\r\n{}\r\n", "x".repeat(4096)).repeat(300))),
            "the reply is larger than 1048576 bytes",
        ),
    ];
    let cuts = [1, 15, 60]
        .map(|bytes| (format!("cut after {bytes} bytes"), end(Step::CloseAfterBytes(bytes)), LOST));
    cases.into_iter().map(|(case, steps, reason)| (case.to_owned(), steps, reason)).chain(cuts).collect()
}

/// Replies to the Inform that are no answers to it.
pub(crate) fn answers_to_inform() -> Vec<(String, Vec<Step>, &'static str)> {
    let reply = |text: String| vec![Step::expect("Inform"), Step::Reply(ScriptedReply::envelope(text))];
    let response = |id: &str, body: &str| {
        reply(envelope(
            &format!("<cwmp:ID>{id}</cwmp:ID>"),
            &format!("<cwmp:InformResponse>{body}</cwmp:InformResponse>"),
        ))
    };
    let redirects = |to: &str| {
        let step = Step::Redirect(302, to.to_owned());
        std::iter::repeat_n(step, 10).collect::<Vec<_>>()
    };
    let other = envelope("", "<cwmp:GetRPCMethodsResponse><MethodList/></cwmp:GetRPCMethodsResponse>");
    let cases = vec![
        ("nothing", vec![Step::Status(204)], "the ACS answered Inform with an empty reply"),
        (
            "the ID of another request",
            response("77", "<MaxEnvelopes>1</MaxEnvelopes>"),
            "the ACS answered Inform with the ID of another request",
        ),
        ("another answer", reply(other), "the ACS answered Inform with GetRPCMethodsResponse"),
        ("a call", reply(set_code("half")), "the ACS sent a request where it owed a response"),
        (
            "a fault",
            vec![Step::SoapFault(cwmp_core::fault::FaultCode::ACS_INTERNAL_ERROR)],
            "the ACS refused Inform: 8002",
        ),
        ("a page", reply("<html/>".into()), ENVELOPE),
        ("closed", vec![Step::Close], "connection lost"),
        ("reset", vec![Step::Reset], "connection lost"),
        ("404", vec![Step::Status(404)], "the ACS answered with HTTP status 404"),
        ("redirects in a loop", redirects("/acs"), "redirect refused"),
        ("a redirect to another scheme", redirects("ftp://127.0.0.1/"), "redirect refused"),
        ("a redirect to nowhere", redirects(""), "redirect refused"),
        ("a redirect without sense", redirects("http://[::"), "redirect refused"),
        ("a redirect to a closed port", redirects("http://127.0.0.1:1/"), "no connection to "),
    ];
    cases.into_iter().map(|(case, steps, reason)| (case.to_owned(), steps, reason)).collect()
}
