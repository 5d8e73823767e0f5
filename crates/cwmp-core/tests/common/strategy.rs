//! Random messages that the schemas of all versions allow, where the version has the method at all.

use cwmp_core::{
    datetime::DateTime,
    event::{EventCode, EventStruct},
    fault::{CwmpFault, FaultCode, SetParameterValuesFault},
    rpc::*,
    time::Wall,
    value::ValueType,
};
use proptest::{collection::vec, prelude::*, sample::select};

/// Any text of XML, blanks, line ends and markup characters included.
pub(crate) fn text(most: usize) -> BoxedStrategy<String> {
    let character = prop_oneof![
        8 => proptest::char::range(' ', '~'),
        2 => select(vec!['<', '>', '&', '"', '\'', ' ', '\t', '\n', '\r', ']', ';', '\u{7F}', '\u{85}', '\u{2028}']),
        1 => proptest::char::range('\u{A0}', '\u{D7FF}'),
        1 => proptest::char::range('\u{E000}', '\u{FFFD}'),
        1 => proptest::char::range('\u{10000}', '\u{10FFFF}'),
    ];
    let short = vec(character.clone(), 0..=most.min(12));
    let long = vec(character, 0..=most.min(300));
    prop_oneof![9 => short, 1 => long].prop_map(|chars| chars.into_iter().collect()).boxed()
}

/// Text on one line, as the patterns of the schemas want it.
fn line(most: usize) -> BoxedStrategy<String> {
    vec(prop_oneof![proptest::char::range(' ', '~'), proptest::char::range('\u{A1}', '\u{2000}')], 0..=most)
        .prop_map(|chars| chars.into_iter().collect())
        .boxed()
}

fn command_key() -> impl Strategy<Value = CommandKey> {
    text(32).prop_map(|text| CommandKey::new(text).unwrap())
}

fn parameter_key() -> impl Strategy<Value = ParameterKey> {
    text(32).prop_map(|text| ParameterKey::new(text).unwrap())
}

fn date_time() -> impl Strategy<Value = DateTime> {
    let at = (-60_000_000_000_000_i64..=250_000_000_000_000).prop_map(|ms| DateTime::At(Wall(ms)));
    prop_oneof![1 => Just(DateTime::Unknown), 1 => Just(DateTime::Infinite), 4 => at]
}

fn file_type() -> impl Strategy<Value = String> {
    line(40).prop_map(|rest| format!("X 00D09E x{rest}"))
}

fn object_name() -> impl Strategy<Value = String> {
    line(60).prop_map(|name| format!("{name}."))
}

fn uuid() -> impl Strategy<Value = String> {
    "[A-Fa-f0-9]{8}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{4}-[A-Fa-f0-9]{12}"
}

fn uuid_or_none() -> impl Strategy<Value = String> {
    prop_oneof![uuid(), Just(String::new())]
}

fn url() -> impl Strategy<Value = String> {
    "http://[a-z]{1,9}:[1-9][0-9]{0,3}/[a-z0-9/]{0,20}(\\?[a-z]=[0-9]&amp=[0-9])?"
}

fn status() -> impl Strategy<Value = Status> {
    select(vec![Status::Applied, Status::Committed])
}

/// A value whose text its type allows.
pub(crate) fn parameter_value() -> impl Strategy<Value = ParameterValueStruct> {
    let typed = prop_oneof![
        text(80).prop_map(|value| (ValueType::String, value)),
        any::<i32>().prop_map(|n| (ValueType::Int, n.to_string())),
        any::<u32>().prop_map(|n| (ValueType::UnsignedInt, n.to_string())),
        any::<i64>().prop_map(|n| (ValueType::Long, n.to_string())),
        any::<u64>().prop_map(|n| (ValueType::UnsignedLong, n.to_string())),
        select(vec!["0", "1", "true", "false"]).prop_map(|b| (ValueType::Boolean, b.to_owned())),
        date_time().prop_map(|time| (ValueType::DateTime, time.to_string())),
        "([A-Za-z0-9+/]{4}){0,9}".prop_map(|value| (ValueType::Base64, value)),
        "([0-9a-fA-F]{2}){0,9}".prop_map(|value| (ValueType::HexBinary, value)),
        "-?[0-9]{1,9}\\.[0-9]{1,9}".prop_map(|value| (ValueType::Decimal, value)),
    ];
    (text(256), any::<bool>(), typed).prop_map(|(name, announced, (value_type, value))| {
        ParameterValueStruct { name, value_type: announced.then_some(value_type), value }
    })
}

fn fault_struct() -> impl Strategy<Value = FaultStruct> {
    let code = select(vec![0, 9001, 9002, 9010, 9011, 9012]).prop_map(FaultCode);
    (code, text(256)).prop_map(|(code, text)| FaultStruct { code, text })
}

fn operation_fault() -> impl Strategy<Value = FaultStruct> {
    let code = select(vec![0, 9001, 9003, 9012, 9022, 9032, 9800]).prop_map(FaultCode);
    (code, text(256)).prop_map(|(code, text)| FaultStruct { code, text })
}

/// A fault of either side.
pub(crate) fn fault() -> impl Strategy<Value = Fault> {
    let refused = (text(256), select(vec![9001, 9005, 9006, 9007, 9008]), text(80))
        .prop_map(|(name, code, text)| SetParameterValuesFault { name, code: FaultCode(code), text });
    let code = select(vec![9000, 9003, 9004, 9010, 9800, 8000, 8005, 8899]);
    let cwmp = (code, text(80), vec(refused, 0..3)).prop_map(|(code, text, parameters)| {
        Fault::from(CwmpFault { code: FaultCode(code), text, parameters })
    });
    let soap = (select(vec!["MustUnderstand", "VersionMismatch", "Server"]), text(40))
        .prop_map(|(code, text)| Fault { cwmp: None, faultcode: code.to_owned(), faultstring: text });
    prop_oneof![4 => cwmp, 1 => soap]
}

fn attributes() -> impl Strategy<Value = (String, i32, Vec<String>)> {
    (text(256), 0..=2_i32, vec(Just("Subscriber".to_owned()), 0..2))
}

/// A call of the CPE by the ACS.
pub(crate) fn cpe_request(version: CwmpVersion) -> BoxedStrategy<CpeRequest> {
    let names = || vec(text(256), 1..4);
    let set_attributes = (attributes(), any::<bool>(), any::<bool>()).prop_map(
        |((name, notification, access_list), notification_change, access_list_change)| {
            SetParameterAttributesStruct {
                name,
                notification_change,
                notification,
                access_list_change,
                access_list,
            }
        },
    );
    let file = || (command_key(), file_type(), text(256), text(256), text(256));
    let mut all = vec![
        select(vec![CpeRequest::GetRPCMethods, CpeRequest::GetQueuedTransfers, CpeRequest::FactoryReset])
            .boxed(),
        (vec(parameter_value(), 0..4), parameter_key())
            .prop_map(|(parameters, parameter_key)| {
                CpeRequest::SetParameterValues(SetParameterValues { parameters, parameter_key })
            })
            .boxed(),
        names().prop_map(|names| CpeRequest::GetParameterValues(GetParameterValues { names })).boxed(),
        names()
            .prop_map(|names| CpeRequest::GetParameterAttributes(GetParameterAttributes { names }))
            .boxed(),
        (text(256), any::<bool>())
            .prop_map(|(path, next_level)| {
                CpeRequest::GetParameterNames(GetParameterNames { path, next_level })
            })
            .boxed(),
        vec(set_attributes, 1..4)
            .prop_map(|entries| CpeRequest::SetParameterAttributes(SetParameterAttributes { entries }))
            .boxed(),
        (object_name(), parameter_key())
            .prop_map(|(object_name, parameter_key)| {
                CpeRequest::AddObject(AddObject { object_name, parameter_key })
            })
            .boxed(),
        (object_name(), parameter_key())
            .prop_map(|(object_name, parameter_key)| {
                CpeRequest::DeleteObject(DeleteObject { object_name, parameter_key })
            })
            .boxed(),
        (file(), any::<u32>(), text(256), any::<u32>(), text(256), text(256))
            .prop_map(
                |(
                    (command_key, file_type, url, username, password),
                    file_size,
                    target_file_name,
                    delay_seconds,
                    success_url,
                    failure_url,
                )| {
                    CpeRequest::Download(Download {
                        command_key,
                        file_type,
                        url,
                        username,
                        password,
                        file_size,
                        target_file_name,
                        delay_seconds,
                        success_url,
                        failure_url,
                    })
                },
            )
            .boxed(),
        (file(), any::<u32>())
            .prop_map(|((command_key, file_type, url, username, password), delay_seconds)| {
                CpeRequest::Upload(Upload { command_key, file_type, url, username, password, delay_seconds })
            })
            .boxed(),
        command_key().prop_map(|command_key| CpeRequest::Reboot(Reboot { command_key })).boxed(),
        (any::<u32>(), command_key())
            .prop_map(|(delay_seconds, command_key)| {
                CpeRequest::ScheduleInform(ScheduleInform { delay_seconds, command_key })
            })
            .boxed(),
        vec("([A-Za-z0-9+/]{4}){1,9}", 1..3)
            .prop_map(|vouchers| CpeRequest::SetVouchers(SetVouchers { vouchers }))
            .boxed(),
        text(64).prop_map(|option_name| CpeRequest::GetOptions(GetOptions { option_name })).boxed(),
    ];
    if version >= CwmpVersion::V1_1 {
        all.push(Just(CpeRequest::GetAllQueuedTransfers).boxed());
    }
    if version >= CwmpVersion::V1_2 {
        let window = (any::<u32>(), any::<u32>(), text(256), -1..9_i32).prop_map(
            |(window_start, window_end, user_message, max_retries)| TimeWindowStruct {
                window_start,
                window_end,
                window_mode: "1 At Any Time".to_owned(),
                user_message,
                max_retries,
            },
        );
        let schedule = (file(), any::<u32>(), text(256), vec(window, 1..=2)).prop_map(
            |(
                (command_key, file_type, url, username, password),
                file_size,
                target_file_name,
                time_windows,
            )| {
                CpeRequest::ScheduleDownload(ScheduleDownload {
                    command_key,
                    file_type,
                    url,
                    username,
                    password,
                    file_size,
                    target_file_name,
                    time_windows,
                })
            },
        );
        let change = (vec(operation(), 1..4), command_key()).prop_map(|(operations, command_key)| {
            CpeRequest::ChangeDUState(ChangeDUState { operations, command_key })
        });
        let cancel =
            command_key().prop_map(|command_key| CpeRequest::CancelTransfer(CancelTransfer { command_key }));
        all.extend([schedule.boxed(), change.boxed(), cancel.boxed()]);
    }
    proptest::strategy::Union::new(all).boxed()
}

fn operation() -> impl Strategy<Value = OperationStruct> {
    let login = || (text(256), text(256));
    prop_oneof![
        (url(), uuid_or_none(), login(), text(256)).prop_map(
            |(url, uuid, (username, password), execution_env_ref)| {
                OperationStruct::Install { url, uuid, username, password, execution_env_ref }
            }
        ),
        (uuid_or_none(), text(32), url(), login()).prop_map(|(uuid, version, url, (username, password))| {
            OperationStruct::Update { uuid, version, url, username, password }
        }),
        (uuid(), text(32), text(256)).prop_map(|(uuid, version, execution_env_ref)| {
            OperationStruct::Uninstall { uuid, version, execution_env_ref }
        }),
    ]
}

/// An answer of the CPE.
pub(crate) fn cpe_response(version: CwmpVersion) -> BoxedStrategy<CpeResponse> {
    let info = (text(256), any::<bool>()).prop_map(|(name, writable)| ParameterInfoStruct { name, writable });
    let attribute = attributes().prop_map(|(name, notification, access_list)| ParameterAttributeStruct {
        name,
        notification,
        access_list,
    });
    let transfer = || {
        prop_oneof![
            Just(TransferResponse::Later),
            (date_time(), date_time())
                .prop_map(|(start, complete)| TransferResponse::Done { start, complete }),
        ]
    };
    let state =
        || select(vec![TransferState::NotYetStarted, TransferState::InProgress, TransferState::Completed]);
    let queued =
        (command_key(), state()).prop_map(|(command_key, state)| QueuedTransferStruct { command_key, state });
    let option = (
        text(64),
        any::<u32>(),
        0..=3_u32,
        0..=2_u32,
        date_time(),
        proptest::option::of(date_time()),
        any::<bool>(),
    )
        .prop_map(
            |(option_name, voucher_sn, state, mode, start_date, expiration_date, is_transferable)| {
                OptionStruct {
                    option_name,
                    voucher_sn,
                    state,
                    mode,
                    start_date,
                    expiration_date,
                    is_transferable,
                }
            },
        );
    let mut all = vec![
        select(vec![
            CpeResponse::SetParameterAttributes,
            CpeResponse::Reboot,
            CpeResponse::ScheduleInform,
            CpeResponse::SetVouchers,
            CpeResponse::FactoryReset,
        ])
        .boxed(),
        vec(text(64), 1..9).prop_map(CpeResponse::GetRPCMethods).boxed(),
        status().prop_map(CpeResponse::SetParameterValues).boxed(),
        status().prop_map(CpeResponse::DeleteObject).boxed(),
        vec(parameter_value(), 0..5).prop_map(CpeResponse::GetParameterValues).boxed(),
        vec(info, 0..5).prop_map(CpeResponse::GetParameterNames).boxed(),
        vec(attribute, 0..5).prop_map(CpeResponse::GetParameterAttributes).boxed(),
        (1..u32::MAX, status())
            .prop_map(|(instance_number, status)| {
                CpeResponse::AddObject(AddObjectResponse { instance_number, status })
            })
            .boxed(),
        transfer().prop_map(CpeResponse::Download).boxed(),
        transfer().prop_map(CpeResponse::Upload).boxed(),
        vec(queued, 0..=16).prop_map(CpeResponse::GetQueuedTransfers).boxed(),
        vec(option, 0..3).prop_map(CpeResponse::GetOptions).boxed(),
    ];
    if version >= CwmpVersion::V1_1 {
        let queued = (command_key(), state(), any::<bool>(), file_type(), any::<u32>(), text(256)).prop_map(
            |(command_key, state, is_download, file_type, file_size, target_file_name)| {
                AllQueuedTransferStruct {
                    command_key,
                    state,
                    is_download,
                    file_type,
                    file_size,
                    target_file_name,
                }
            },
        );
        all.push(vec(queued, 0..=16).prop_map(CpeResponse::GetAllQueuedTransfers).boxed());
    }
    if version >= CwmpVersion::V1_2 {
        let recent =
            vec![CpeResponse::ScheduleDownload, CpeResponse::CancelTransfer, CpeResponse::ChangeDUState];
        all.push(select(recent).boxed());
    }
    proptest::strategy::Union::new(all).boxed()
}

fn inform() -> impl Strategy<Value = Inform> {
    let code = prop_oneof![
        select(vec![
            EventCode::Bootstrap,
            EventCode::Boot,
            EventCode::ValueChange,
            EventCode::MReboot,
            EventCode::MDownload
        ]),
        line(20).prop_map(|rest| EventCode::Other(format!("X 00D09E x{rest}"))),
    ];
    let event = (code, command_key()).prop_map(|(code, command_key)| EventStruct { code, command_key });
    let device = (text(64), "[0-9A-F]{6}", text(64), text(64)).prop_map(
        |(manufacturer, oui, product_class, serial_number)| DeviceId {
            manufacturer,
            oui,
            product_class,
            serial_number,
        },
    );
    (device, vec(event, 0..=64), any::<u32>(), date_time(), any::<u32>(), vec(parameter_value(), 0..5))
        .prop_map(|(device_id, events, max_envelopes, current_time, retry_count, parameters)| Inform {
            device_id,
            events,
            max_envelopes,
            current_time,
            retry_count,
            parameters,
        })
}

fn op_result() -> impl Strategy<Value = OpResultStruct> {
    let state = select(vec![DuState::Installed, DuState::Uninstalled, DuState::Failed]);
    (
        (uuid(), text(256), text(32), state, any::<bool>()),
        (text(256), date_time(), date_time(), operation_fault()),
    )
        .prop_map(|((uuid, deployment_unit_ref, version, current_state, resolved), rest)| {
            let (execution_unit_ref_list, start_time, complete_time, fault) = rest;
            OpResultStruct {
                uuid,
                deployment_unit_ref,
                version,
                current_state,
                resolved,
                execution_unit_ref_list,
                start_time,
                complete_time,
                fault,
            }
        })
}

/// A call of the ACS by the CPE.
pub(crate) fn acs_request(version: CwmpVersion) -> BoxedStrategy<AcsRequest> {
    let arg = (text(64), text(256)).prop_map(|(name, value)| ArgStruct { name, value });
    let mut all = vec![
        Just(AcsRequest::GetRPCMethods).boxed(),
        inform().prop_map(AcsRequest::Inform).boxed(),
        (command_key(), fault_struct(), date_time(), date_time())
            .prop_map(|(command_key, fault, start_time, complete_time)| {
                AcsRequest::TransferComplete(TransferComplete {
                    command_key,
                    fault,
                    start_time,
                    complete_time,
                })
            })
            .boxed(),
        (file_type(), vec(arg, 0..=16))
            .prop_map(|(file_type, args)| AcsRequest::RequestDownload(RequestDownload { file_type, args }))
            .boxed(),
        (text(32), text(64), text(256), text(1024))
            .prop_map(|(command, referer, arg, next)| {
                AcsRequest::Kicked(Kicked { command, referer, arg, next })
            })
            .boxed(),
    ];
    if version >= CwmpVersion::V1_1 {
        let autonomous = (
            (text(1024), text(1024), any::<bool>(), file_type(), any::<u32>()),
            (text(256), fault_struct(), date_time(), date_time()),
        )
            .prop_map(|((announce_url, transfer_url, is_download, file_type, file_size), rest)| {
                let (target_file_name, fault, start_time, complete_time) = rest;
                AcsRequest::AutonomousTransferComplete(AutonomousTransferComplete {
                    announce_url,
                    transfer_url,
                    is_download,
                    file_type,
                    file_size,
                    target_file_name,
                    fault,
                    start_time,
                    complete_time,
                })
            });
        all.push(autonomous.boxed());
    }
    if version >= CwmpVersion::V1_2 {
        let asked = (vec(op_result(), 1..3), command_key()).prop_map(|(results, command_key)| {
            AcsRequest::DUStateChangeComplete(DUStateChangeComplete { results, command_key })
        });
        let performed = select(vec![DuOperation::Install, DuOperation::Update, DuOperation::Uninstall]);
        let result = (op_result(), performed)
            .prop_map(|(result, operation_performed)| AutonOpResultStruct { result, operation_performed });
        let own = vec(result, 1..3).prop_map(|results| {
            AcsRequest::AutonomousDUStateChangeComplete(AutonomousDUStateChangeComplete { results })
        });
        all.extend([asked.boxed(), own.boxed()]);
    }
    proptest::strategy::Union::new(all).boxed()
}

/// An answer of the ACS.
pub(crate) fn acs_response(version: CwmpVersion) -> BoxedStrategy<AcsResponse> {
    let mut plain = vec![AcsResponse::TransferComplete, AcsResponse::RequestDownload];
    if version >= CwmpVersion::V1_1 {
        plain.push(AcsResponse::AutonomousTransferComplete);
    }
    if version >= CwmpVersion::V1_2 {
        plain.extend([AcsResponse::DUStateChangeComplete, AcsResponse::AutonomousDUStateChangeComplete]);
    }
    prop_oneof![
        select(plain),
        vec(text(64), 1..9).prop_map(AcsResponse::GetRPCMethods),
        any::<u32>().prop_map(|max_envelopes| AcsResponse::Inform(InformResponse { max_envelopes })),
        text(1024).prop_map(|next_url| AcsResponse::Kicked(KickedResponse { next_url })),
    ]
    .boxed()
}

/// Headers that a version can carry.
pub(crate) fn header(version: CwmpVersion) -> impl Strategy<Value = Header> {
    let recent = version >= CwmpVersion::V1_2;
    let versions = proptest::sample::subsequence(CwmpVersion::ALL.to_vec(), 0..=5);
    let timeout = proptest::option::of(30..9999_u32);
    let used = proptest::option::of(select(CwmpVersion::ALL.to_vec()));
    (proptest::option::of(text(256)), any::<bool>(), timeout, versions, used).prop_map(
        move |(id, hold_requests, session_timeout, supported, used)| Header {
            id,
            hold_requests,
            no_more_requests: false,
            session_timeout: session_timeout.filter(|_| recent),
            supported_cwmp_versions: if recent { supported } else { Vec::new() },
            use_cwmp_version: used.filter(|_| recent),
        },
    )
}

fn envelope<M: std::fmt::Debug + Clone + 'static>(
    message: impl Fn(CwmpVersion) -> BoxedStrategy<M> + 'static,
) -> BoxedStrategy<Envelope<M>> {
    let of_version = move |version| {
        (header(version), message(version)).prop_map(move |(header, message)| Envelope {
            version,
            header,
            message,
        })
    };
    select(CwmpVersion::ALL.to_vec()).prop_flat_map(of_version).boxed()
}

/// Anything that an ACS sends.
pub(crate) fn to_cpe() -> BoxedStrategy<Envelope<ToCpe>> {
    envelope(|version| {
        prop_oneof![
            4 => cpe_request(version).prop_map(ToCpe::Request),
            2 => acs_response(version).prop_map(ToCpe::Response),
            1 => fault().prop_map(ToCpe::Fault),
        ]
        .boxed()
    })
}

/// Anything that a CPE sends.
pub(crate) fn to_acs() -> BoxedStrategy<Envelope<ToAcs>> {
    envelope(|version| {
        prop_oneof![
            4 => acs_request(version).prop_map(ToAcs::Request),
            4 => cpe_response(version).prop_map(ToAcs::Response),
            1 => fault().prop_map(ToAcs::Fault),
        ]
        .boxed()
    })
}
