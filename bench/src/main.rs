//! `bench`: asks all questions, or one, and prints the answers as one Markdown table.

use std::io::Write as _;

use anyhow::Result;
use bench::measure::Machine;
use bench::native::Encoding;
use bench::stage::{self, Stage};
use bench::table::{Markdown, Row};
use bench::{
    calibrator, conversation_list, durable_direct_messages, fan_out_to_8000_connections, group_joins, idle_connection_memory, process,
    server, user_search,
};
use clap::{Parser, Subcommand};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Figures of Parlance, as a Markdown table. Without a question: all of them.
#[derive(Debug, Parser)]
struct Arguments {
    /// A few hundred connections and short rounds: proves that the bench works, its figures mean nothing.
    #[arg(long, global = true)]
    quick: bool,
    /// How the listeners of the big group write.
    #[arg(long, global = true, value_enum, default_value_t = Encoding::Json)]
    encoding: Encoding,
    /// Worker threads of the calibrator; 0 is the current-thread runtime.
    #[arg(long, global = true, default_value_t = 0)]
    threads: usize,
    #[command(subcommand)]
    question: Option<Question>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
enum Question {
    /// How much memory does one more idle user take?
    IdleConnectionMemory,
    /// What does it cost to bring one message to 8,000 connections?
    FanOut,
    /// How many durable direct messages does one second of the server's CPU carry?
    DurableDirectMessages,
    /// How long does it take to open a list of 5,000 conversations?
    ConversationList,
    /// How long does a search among 1,000,000 people take?
    UserSearch,
    /// What does a member of a group of 10,000 hear while others join?
    GroupJoins,
    /// The bare broadcaster alone: what this machine gives at this moment.
    Calibrate {
        /// Bytes of a delivery on the wire.
        #[arg(long, default_value_t = 420)]
        bytes: usize,
    },
    /// The bare broadcaster itself; started by the other commands.
    #[command(hide = true)]
    Calibrator,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if arguments.question == Some(Question::Calibrator) {
        return calibrator::run(arguments.threads);
    }
    if !matches!(arguments.question, Some(Question::Calibrate { .. })) {
        server::build()?; // before this process moves to one core
    }
    let pin = process::can_pin();
    if pin {
        process::pin_generator()?;
    }
    let text = answer(&arguments, pin)?;
    write!(std::io::stdout(), "{text}")?;
    Ok(())
}

fn answer(arguments: &Arguments, pin: bool) -> Result<String> {
    let quick = arguments.quick;
    let fan_out = if quick { fan_out_to_8000_connections::Plan::QUICK } else { fan_out_to_8000_connections::Plan::FULL };
    if let Some(Question::Calibrate { bytes }) = arguments.question {
        let rows = fan_out_to_8000_connections::calibrate(fan_out, bytes, arguments.threads, pin)?;
        return Ok(report(&rows, pin, "none"));
    }
    let asked = |question| arguments.question.is_none_or(|only| only == question);
    let mut rows = connected(arguments, asked, fan_out, pin)?;
    if asked(Question::ConversationList) {
        let plan = if quick { conversation_list::Plan::QUICK } else { conversation_list::Plan::FULL };
        rows.extend(conversation_list::ask(plan, pin)?);
    }
    if asked(Question::UserSearch) {
        let plan = if quick { user_search::Plan::QUICK } else { user_search::Plan::FULL };
        rows.extend(user_search::ask(plan, pin)?);
    }
    if asked(Question::GroupJoins) {
        let plan = if quick { group_joins::Plan::QUICK } else { group_joins::Plan::FULL };
        rows.extend(group_joins::ask(plan, pin)?);
    }
    if quick {
        rows = rows.into_iter().map(Row::unjudged).collect();
    }
    Ok(report(&rows, pin, &stage::file_system()))
}

/// The questions that share one data folder with many connected users.
fn connected(
    arguments: &Arguments,
    asked: impl Fn(Question) -> bool,
    fan_out: fan_out_to_8000_connections::Plan,
    pin: bool,
) -> Result<Vec<Row>> {
    let (quick, mut rows) = (arguments.quick, Vec::new());
    if ![Question::IdleConnectionMemory, Question::FanOut, Question::DurableDirectMessages].into_iter().any(&asked) {
        return Ok(rows);
    }
    let idle = if quick { idle_connection_memory::Plan::QUICK } else { idle_connection_memory::Plan::FULL };
    let direct = if quick { durable_direct_messages::Plan::QUICK } else { durable_direct_messages::Plan::FULL };
    let members = fan_out.receivers + 1;
    let stage = Stage::set(idle.many.max(members).max(direct.connections), members, pin)?;
    if asked(Question::IdleConnectionMemory) {
        rows.extend(idle_connection_memory::ask(&stage, idle)?);
    }
    if asked(Question::FanOut) {
        rows.extend(fan_out_to_8000_connections::ask(&stage, fan_out, arguments.encoding, arguments.threads)?);
    }
    if asked(Question::DurableDirectMessages) {
        rows.extend(durable_direct_messages::ask(&stage, direct)?);
    }
    Ok(rows)
}

/// The table, and below it what it was measured on.
fn report(rows: &[Row], pin: bool, file_system: &str) -> String {
    let machine = Machine::read();
    let Machine { processor, memory_gib, kernel, rustc, commit, descriptors } = machine;
    let cores = if pin { "server on core 0, load on core 1 (`taskset`)" } else { "server and load not pinned" };
    let lifted: Vec<_> = server::LIFTED.iter().map(|(name, value)| format!("`{name}` = {value}")).collect();
    format!(
        "{}\nMachine: {processor}, {memory_gib} GiB, Linux {kernel}, {rustc}, commit {commit}; {cores}; client and server on one \
         machine, over loopback; {descriptors} descriptors per process; data on {file_system}.\n\n\
         CPU is user and system time of the server's process alone, from `/proc/PID/stat`. Limits lifted for the bench: {}.\n",
        Markdown(rows),
        lifted.join(", ")
    )
}
