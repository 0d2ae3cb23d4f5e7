# CreatorVault in an image that holds the program, the C library that it is linked with, the certificate authorities
# and nothing else: no shell, no package manager.
#
#   docker build -t creatorvault .
#   docker run --read-only -p 127.0.0.1:8000:8000 -v creatorvault-data:/data \
#     -e BETTER_AUTH_URL=https://app.example.com -e DATABASE_URL=sqlite:///data/creatorvault.db creatorvault
#
# More in docs/deployment.md.

ARG RUST_VERSION=1.95.0

FROM docker.io/library/rust:${RUST_VERSION}-slim-bookworm AS build
SHELL ["/bin/bash", "-euo", "pipefail", "-c"]
WORKDIR /src
COPY . .
# The commit that /metrics tells: docker build --build-arg REVISION=$(git rev-parse HEAD)
ARG REVISION=unknown
RUN --mount=type=cache,id=creatorvault-registry,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,id=creatorvault-target-bookworm,target=/src/target,sharing=locked \
    GIT_COMMIT="${REVISION}" cargo build --release --locked --bin creatorvault \
    && install -D target/release/creatorvault /image/usr/local/bin/creatorvault

# What the program needs beside itself. It is linked with glibc, whose allocator and resolver the tests run on too;
# `ldd` names the libraries on every architecture.
RUN ldd /image/usr/local/bin/creatorvault \
        | grep -o '/[^ ]*' \
        | xargs cp --dereference --parents --target-directory=/image \
    && install -D -m 644 /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ca-certificates.crt \
    && printf 'creatorvault:x:10001:10001::/data:/usr/sbin/nologin\n' > /image/etc/passwd \
    && printf 'creatorvault:x:10001:\n' > /image/etc/group \
    && printf 'hosts: files dns\n' > /image/etc/nsswitch.conf \
    && install -d -m 1777 /image/tmp \
    && install -d -m 700 -o 10001 -g 10001 /volume/data

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="CreatorVault" \
      org.opencontainers.image.description="The back end that a Better Auth front-end plugs into: a private REST API for tasks and content ideas" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /image /
# Some builders copy everything as root's unless they are told.
COPY --from=build --chown=10001:10001 /volume/data /data
# By number, so that Kubernetes can see that it is not root.
USER 10001:10001
WORKDIR /
ENV ENVIRONMENT=production \
    HOST=0.0.0.0 \
    LOG_FORMAT=json
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=3s --start-period=40s --retries=3 \
    CMD ["/usr/local/bin/creatorvault", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/creatorvault"]
CMD ["serve"]
