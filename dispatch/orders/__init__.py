"""Orders and what people and couriers do to them: offers, answers, hand-overs, and what staff changes at the desk."""
