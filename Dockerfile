# charnn in an image of about 1.5 GB, most of it LibTorch and what that needs:
#   docker build -t charnn .
#   docker run --rm -it -v "$PWD:/work" charnn train my.txt
FROM debian:12 AS build
COPY . /charnn
WORKDIR /charnn
RUN bash -c '. scripts/packages.sh && install_packages "${build_packages[@]}" "${torch_packages[@]}" dpkg-dev' \
 && cmake --preset release && cmake --build --preset release && cd build/release && cpack -G DEB

FROM debian:12
COPY --from=build /charnn/build/release/*.deb /tmp/
RUN apt-get update && apt-get install -y --no-install-recommends /tmp/*.deb && rm -rf /var/lib/apt/lists/* /tmp/*.deb
WORKDIR /work
ENTRYPOINT ["charnn"]
CMD ["--help"]
