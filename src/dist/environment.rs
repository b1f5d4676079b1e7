//! What launchers tell a process of its place among others: torchrun, Kubeflow and scripts around srun and mpirun do it by variables. Half a
//! set of them is an error that names the one that lacks, never a run alone.

use crate::error::{Error, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub rank: u32,
    pub size: u32,
    /// Among the processes of this machine.
    pub local_rank: u32,
}

impl Place {
    pub const ALONE: Place = Place { rank: 0, size: 1, local_rank: 0 };
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    pub place: Place,
    /// Where rank 0, or the launcher, has the store through which ranks find each other.
    pub address: String,
    pub port: u16,
    /// Whether the launcher has it, so that rank 0 must not.
    pub served: bool,
    /// How often the launcher has begun all ranks anew: what earlier ones left in its store is not for these.
    pub attempt: u32,
}

/// The variables of torchrun, and those that Kubeflow Trainer v2 sets instead.
const TORCHRUN: [&str; 4] = ["RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"];
const PET: [&str; 4] = ["PET_NODE_RANK", "PET_NNODES", "PET_MASTER_ADDR", "PET_MASTER_PORT"];
const PER_NODE: &str = "PET_NPROC_PER_NODE";

/// Launchers that number their processes otherwise: how many there are, and which this is.
const OTHERS: [(&str, &str); 3] =
    [("OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"), ("PMI_SIZE", "PMI_RANK"), ("SLURM_NTASKS", "SLURM_PROCID")];

const MOST: u32 = 1 << 16;

impl Environment {
    /// None: no launcher says anything. `variable` looks one up.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
        let any = |names: &[&str]| names.iter().any(|name| variable(name).is_some());
        let names = if any(&TORCHRUN[..2]) {
            TORCHRUN
        } else if any(&PET) || variable(PER_NODE).is_some() {
            match variable(PER_NODE).as_deref() {
                None | Some("1") => {}
                Some(value) => {
                    let more = "with more than one process for a node, launch them with torchrun --no-python, which sets RANK";
                    return Err(wrong(format!("{PER_NODE} is {value:?}: {more}")));
                }
            }
            PET
        } else if any(&TORCHRUN[2..]) {
            TORCHRUN
        } else {
            return match OTHERS.iter().find(|(size, rank)| several(variable(size)) && variable(rank).is_some()) {
                None => Ok(None),
                Some((size, rank)) => {
                    let set = format!("set RANK to ${rank} and WORLD_SIZE to ${size}, and MASTER_ADDR and MASTER_PORT");
                    Err(wrong(format!("{size} is {:?}, but RANK is not set: {set}", variable(size).unwrap_or_default())))
                }
            };
        };
        let [rank, size, address, port] = names;
        let given: Vec<&str> = names.into_iter().filter(|name| variable(name).is_some()).collect();
        let are = if given.len() == 1 { "is" } else { "are" };
        let lacks = |name: &str| wrong(format!("{name} is not set, but {} {are}", given.join(", ")));
        let required = |name: &str| variable(name).ok_or_else(|| lacks(name));
        let number = |name: &str, least: u32, most: u32| {
            let value = required(name)?;
            let parsed = value.parse().ok().filter(|n| (least..=most).contains(n));
            parsed.ok_or_else(|| wrong(format!("{name} is {value:?}, not a number from {least} to {most}")))
        };
        let optional = |name: &str, most: u32| variable(name).map_or(Ok(0), |_| number(name, 0, most));
        let size_given = number(size, 1, MOST)?;
        let place = Place {
            rank: number(rank, 0, size_given - 1)?,
            size: size_given,
            local_rank: optional("LOCAL_RANK", size_given - 1)?,
        };
        Ok(Some(Environment {
            place,
            address: required(address)?,
            port: number(port, 1, 65_535)? as u16,
            served: variable("TORCHELASTIC_USE_AGENT_STORE").is_some_and(|value| value.eq_ignore_ascii_case("true")),
            attempt: optional("TORCHELASTIC_RESTART_COUNT", u32::MAX)?,
        }))
    }
}

fn several(size: Option<String>) -> bool {
    size.and_then(|size| size.parse::<u32>().ok()).is_some_and(|size| size > 1)
}

fn wrong(reason: String) -> Error {
    Error::Argument { name: "environment", reason }
}
