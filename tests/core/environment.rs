//! What launchers say, whole or not.

use nse::dist::{route, Environment, Place};
use std::time::Duration;

fn read(variables: &[(&str, &str)]) -> nse::Result<Option<Environment>> {
    Environment::read(|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()))
}

fn said(variables: &[(&str, &str)]) -> String {
    read(variables).unwrap_err().to_string()
}

const WHOLE: [(&str, &str); 4] = [("RANK", "3"), ("WORLD_SIZE", "8"), ("MASTER_ADDR", "node0"), ("MASTER_PORT", "29500")];
const PET: [(&str, &str); 5] = [
    ("PET_NODE_RANK", "1"),
    ("PET_NNODES", "2"),
    ("PET_NPROC_PER_NODE", "1"),
    ("PET_MASTER_ADDR", "job-node-0-0.job"),
    ("PET_MASTER_PORT", "29400"),
];

#[test]
fn without_a_launcher_there_is_nothing() {
    assert_eq!(read(&[]).unwrap(), None);
    assert_eq!(
        read(&[("LOCAL_RANK", "1"), ("PATH", "/bin"), ("RANK", ""), ("SLURM_NTASKS", "1"), ("SLURM_PROCID", "0")]).unwrap(),
        None
    );
}

#[test]
fn torchrun_and_kubeflow_are_understood() {
    let place = Place { rank: 3, size: 8, local_rank: 0 };
    let whole = Environment { place, address: "node0".into(), port: 29500, served: false, attempt: 0 };
    assert_eq!(read(&WHOLE).unwrap(), Some(whole.clone()));
    let torchrun = [("LOCAL_RANK", "1"), ("TORCHELASTIC_USE_AGENT_STORE", "True"), ("TORCHELASTIC_RESTART_COUNT", "2")];
    let expected = Environment { place: Place { local_rank: 1, ..place }, served: true, attempt: 2, ..whole.clone() };
    assert_eq!(read(&[&WHOLE[..], &torchrun].concat()).unwrap(), Some(expected));
    // PyTorchJob sets both families; the first is the process's.
    assert_eq!(read(&[&WHOLE[..], &PET].concat()).unwrap(), Some(whole));
    let place = Place { rank: 1, size: 2, local_rank: 0 };
    let pet = Environment { place, address: "job-node-0-0.job".into(), port: 29400, served: false, attempt: 0 };
    assert_eq!(read(&PET).unwrap(), Some(pet));
}

#[test]
fn a_set_with_a_gap_is_no_run_alone() {
    for (i, (name, _)) in WHOLE.iter().enumerate() {
        let mut variables = WHOLE.to_vec();
        variables.remove(i);
        assert!(said(&variables).starts_with(&format!("environment: {name} is not set, but ")), "{}", said(&variables));
    }
    for (i, (name, _)) in PET.iter().enumerate().filter(|(_, (name, _))| *name != "PET_NPROC_PER_NODE") {
        let mut variables = PET.to_vec();
        variables.remove(i);
        assert!(said(&variables).starts_with(&format!("environment: {name} is not set, but ")), "{}", said(&variables));
    }
    assert!(said(&WHOLE[..1]).ends_with("WORLD_SIZE is not set, but RANK is"), "{}", said(&WHOLE[..1]));
}

#[test]
fn what_is_no_place_is_named() {
    let with = |name: &'static str, value: &'static str| {
        let mut variables: Vec<_> = WHOLE.iter().copied().filter(|(known, _)| *known != name).collect();
        variables.push((name, value));
        said(&variables)
    };
    assert_eq!(with("RANK", "8"), "environment: RANK is \"8\", not a number from 0 to 7");
    assert_eq!(with("RANK", "-1"), "environment: RANK is \"-1\", not a number from 0 to 7");
    assert_eq!(with("WORLD_SIZE", "0"), "environment: WORLD_SIZE is \"0\", not a number from 1 to 65536");
    assert_eq!(with("MASTER_PORT", "http"), "environment: MASTER_PORT is \"http\", not a number from 1 to 65535");
    assert_eq!(with("LOCAL_RANK", "8"), "environment: LOCAL_RANK is \"8\", not a number from 0 to 7");
}

#[test]
fn launchers_that_say_it_otherwise_are_told_apart_from_none() {
    let several = said(&[("PET_NPROC_PER_NODE", "auto"), ("PET_NNODES", "2")]);
    assert!(several.contains("PET_NPROC_PER_NODE is \"auto\"") && several.contains("torchrun --no-python"), "{several}");
    let slurm = said(&[("SLURM_NTASKS", "4"), ("SLURM_PROCID", "1")]);
    assert!(slurm.contains("set RANK to $SLURM_PROCID and WORLD_SIZE to $SLURM_NTASKS"), "{slurm}");
    let mpi = said(&[("OMPI_COMM_WORLD_SIZE", "2"), ("OMPI_COMM_WORLD_RANK", "0")]);
    assert!(mpi.contains("OMPI_COMM_WORLD_SIZE is \"2\", but RANK is not set"), "{mpi}");
}

#[test]
fn the_way_to_an_address_begins_here() {
    let limit = Duration::from_millis(10);
    assert_eq!(route("127.0.0.1", 9, limit).unwrap().to_string(), "127.0.0.1");
    assert!(route("no such name", 9, limit).is_err());
}
