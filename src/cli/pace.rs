//! How gently a walk goes: the two flags of every command that walks over a keyspace.

use clap::Args;

use crate::model::{Environment, Pace, Share, Target};

#[derive(Args, Clone, Copy, Debug, Default)]
pub struct PaceArgs {
    /// Take at most this many percent of one core of the server (0.1 to 100)
    #[arg(long, value_name = "PERCENT", value_parser = share, conflicts_with = "full_speed")]
    budget: Option<Share>,

    /// Ask as fast as the server answers
    #[arg(long)]
    full_speed: bool,
}

impl PaceArgs {
    /// What was asked for, else the default budget.
    pub fn gentle(self) -> Pace {
        self.asked().unwrap_or_default()
    }

    /// What was asked for, else full speed, since somebody waits; in production the budget, since
    /// others wait there, too.
    pub fn swift(self, target: &Target) -> Pace {
        self.asked().unwrap_or(match target.environment {
            Environment::Production => Pace::default(),
            _ => Pace::FullSpeed,
        })
    }

    fn asked(self) -> Option<Pace> {
        if self.full_speed {
            return Some(Pace::FullSpeed);
        }
        self.budget.map(Pace::Budget)
    }
}

fn share(text: &str) -> Result<Share, String> {
    let number = text.trim().trim_end_matches('%').trim_end();
    let percent: Option<f64> = number.parse().ok();
    percent.and_then(Share::of_percent).ok_or_else(|| {
        "it is no share of a core; write percent from 0.1 to 100, such as 5 or 0.5".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use crate::model::{Place, Protocol};

    use super::*;

    #[test]
    fn a_share_is_percent_with_or_without_its_sign() {
        for (text, shown) in [("5", "5 %"), ("0.5%", "0.5 %"), ("100 %", "100 %")] {
            assert_eq!(share(text).unwrap().to_string(), shown);
        }
        for text in ["0", "101", "fast", "", "NaN"] {
            assert!(share(text).is_err(), "{text}");
        }
    }

    #[test]
    fn who_waits_gets_full_speed_but_not_in_production() {
        let place = Place::Tcp {
            host: "h".into(),
            port: 1,
        };
        let mut target = Target::at(Protocol::Redis, place);
        let none = PaceArgs::default();
        let asked = PaceArgs {
            full_speed: true,
            ..none
        };
        assert_eq!(none.swift(&target), Pace::FullSpeed);
        target.environment = Environment::Production;
        assert_eq!(none.swift(&target), Pace::Budget(Share::DEFAULT));
        assert_eq!(asked.swift(&target), Pace::FullSpeed);
        assert_eq!(none.gentle(), Pace::Budget(Share::DEFAULT));
    }
}
