"""The one metadata of all tables, and the four kinds of column they are made of."""

from typing import Any, TypeVar

from sqlalchemy import CheckConstraint, Column, DateTime, MetaData
from sqlalchemy.types import TypeEngine

T = TypeVar("T")

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

Instant = DateTime(timezone=True)


def key(name: str, kind: type[TypeEngine[T]] | TypeEngine[T], *parts: Any) -> Column[T]:
    """A column of the primary key, its value given by the caller."""
    return Column(name, kind, *parts, primary_key=True, autoincrement=False)


def required(name: str, kind: type[TypeEngine[T]] | TypeEngine[T], *parts: Any, **options: Any) -> Column[T]:
    """A column that is never null."""
    return Column(name, kind, *parts, nullable=False, **options)


def optional(name: str, kind: type[TypeEngine[T]] | TypeEngine[T], *parts: Any, **options: Any) -> Column[T]:
    """A column that may be null."""
    return Column(name, kind, *parts, nullable=True, **options)


def one_of(column: str, *values: str) -> CheckConstraint:
    """Holds a text column to the states or codes of the contract."""
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)
