"""Consultations: who offers which hours, who books them, and the calls."""
