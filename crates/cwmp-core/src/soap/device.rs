//! Reboot, ScheduleInform, vouchers and options, Kicked (TR-069a6 A.3.2.9, A.4.1.2 to A.4.1.4, A.4.2.1).

use crate::rpc::{GetOptions, Kicked, KickedResponse, OptionStruct, Reboot, ScheduleInform, SetVouchers};

use super::{
    reader::{Reader, Trouble},
    wire::{Entry, Wire, read_only, record},
    writer::{Sink, close, leaf, open_array},
};

record!(Reboot { command_key: "CommandKey" });
record!(ScheduleInform { delay_seconds: "DelaySeconds", command_key: "CommandKey" });
record!(GetOptions { option_name: "OptionName"[64] });
record!(OptionStruct {
    option_name: "OptionName" [64],
    voucher_sn: "VoucherSN",
    state: "State",
    mode: "Mode",
    start_date: "StartDate",
    expiration_date: "ExpirationDate" optional,
    is_transferable: "IsTransferable",
});
record!(Kicked { command: "Command"[32], referer: "Referer"[64], arg: "Arg"[256], next: "Next"[1024] });
record!(KickedResponse { next_url: "NextURL"[1024] });

impl Entry for OptionStruct {
    const ELEMENT: &'static str = "OptionStruct";
    const TYPE: &'static str = "cwmp:OptionStruct";
}

/// Its array alone has entries of `soap-enc:base64`.
impl Wire for SetVouchers {
    fn read(reader: &mut Reader<'_>, _max: usize) -> Result<Self, Trouble> {
        read_only(reader, "VoucherList", usize::MAX).map(|vouchers| Self { vouchers })
    }

    fn write(&self, name: &str, out: &mut dyn Sink) {
        super::writer::open(name, out);
        open_array("VoucherList", "soap-enc:base64", self.vouchers.len(), out);
        for voucher in &self.vouchers {
            leaf("base64", voucher, out);
        }
        close("VoucherList", out);
        close(name, out);
    }
}
