"""Figures of an audit in templates."""

from django import template

from budgets.pages.amounts import per_unit
from reports.workflow_audit.values import Figures

register = template.Library()


@register.filter
def each(figures: Figures) -> str:
    """Cost per approved asset; "" where none was approved."""
    return per_unit(figures.in_runs, max(0, figures.approved))
