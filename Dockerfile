# One image for everything: `docker build -t wattle .`, then `docker run wattle host start …`, `wattle wadm start …`.
# The first stage packs the tarball as npm would publish it; the second holds what a user would install.
FROM node:26-slim AS pack
WORKDIR /source
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts
COPY . .
RUN node node_modules/typescript/bin/tsc -p tsconfig.build.json && npm pack --ignore-scripts --pack-destination /tarball

FROM node:26-slim
COPY --from=pack /tarball/*.tgz /tmp/wattle.tgz
# the image has the Node.js that Wattle needs, so the one npm could bring is left out
RUN npm install --global --omit=optional --ignore-scripts /tmp/wattle.tgz && rm /tmp/wattle.tgz \
  && mkdir -p /var/lib/wattle && chown node:node /var/lib/wattle
USER node
ENV WATTLE_DATA_DIR=/var/lib/wattle
VOLUME /var/lib/wattle
ENTRYPOINT ["wattle"]
CMD ["--help"]
