// NAS-DIP: restore a noisy picture without any training data (docs/nas-dip.md).
//
//     restore NOISY RESTORED [CLEAN]
//
// As examples/c/restore.c, step by step: pictures as binary PGM or PPM of 8 bits.
#include <nse/nse.hpp>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>

static const char *const options = R"({"task": "denoise", "seed": 1, "threads": 1,
    "train": {"iterations": 150, "smoothing": 0.95, "input_channels": 8},
    "search": {"units": 2, "population": 4, "generations": 2, "max_macs": 6000000}})";

static nse::Picture read(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    std::string kind;
    nse::Picture picture;
    unsigned white = 0;
    file >> kind >> picture.width >> picture.height >> white;
    if (!file || (kind != "P5" && kind != "P6") || white != 255 || picture.width > 16384 || picture.height > 16384) {
        throw std::runtime_error(path + " is no binary PGM or PPM of 8 bits");
    }
    file.get();
    picture.channels = kind == "P6" ? 3 : 1;
    const std::size_t pixels = std::size_t{picture.height} * picture.width;
    picture.values.resize(picture.channels * pixels);
    for (std::size_t i = 0; i < pixels; ++i) { // pixel after pixel there, plane after plane here
        for (std::size_t c = 0; c < picture.channels; ++c) picture.values[c * pixels + i] = static_cast<float>(file.get()) / 255;
    }
    return picture;
}

static void write(const std::string &path, const nse::Picture &picture) {
    std::ofstream file(path, std::ios::binary);
    const std::size_t pixels = std::size_t{picture.height} * picture.width;
    file << (picture.channels == 3 ? "P6" : "P5") << '\n' << picture.width << ' ' << picture.height << "\n255\n";
    for (std::size_t i = 0; i < pixels; ++i) {
        for (std::size_t c = 0; c < picture.channels; ++c) file.put(static_cast<char>(static_cast<int>(picture.values[c * pixels + i] * 255 + 0.5f)));
    }
}

int main(int argc, char **argv) try {
    if (argc < 3 || argc > 4) {
        std::cerr << "usage: restore NOISY RESTORED [CLEAN]\n";
        return 2;
    }
    const nse::Picture noisy = read(argv[1]);
    const nse::Picture clean = argc == 4 ? read(argv[3]) : nse::Picture();
    nse::Damage damage(noisy);
    if (argc == 4) damage.reference(clean);
    nse::Restoration restoration = nse::Restoration::create(damage, options, [](const nse::Event &event) {
        if (event.kind == NSE_EVENT_FINISH && event.rounds > 1) {
            std::printf("generation %d of %d: %.1f dB on held-out pixels\n", static_cast<int>(event.round), static_cast<int>(event.rounds), event.accuracy);
        }
    });
    while (restoration.step()) {
    }
    const nse::Restored restored = restoration.run();
    write(argv[2], restored.picture);
    std::printf("%s\n", restored.report.c_str());
    if (argc == 4) std::printf("noisy %.2f dB, restored %.2f dB\n", noisy.compare(clean).psnr, restored.picture.compare(clean).psnr);
} catch (const std::exception &error) { // every failure is an nse::Error
    std::cerr << error.what() << '\n';
    return 1;
}
