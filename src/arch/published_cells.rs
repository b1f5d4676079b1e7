//! Published architectures of stacked cells, in the networks that they were published with. Genotypes are those of the code of DARTS (Liu et
//! al., ICLR 2019), P-DARTS (Chen et al., ICCV 2019), PC-DARTS (Xu et al., ICLR 2020), BNAS (Chen et al., AAAI 2020), AngleNAS (Hu et al.,
//! ECCV 2020), whose "search" ones are its authors' own runs of the other methods, and PNASNet-5 (Liu et al., ECCV 2018).

pub struct PublishedCells {
    pub name: &'static str,
    pub description: &'static str,
    pub space: &'static str,
    pub genotype: &'static str,
}

/// PNASNet-5's five blocks. In the published code the cell before is 0 and the one before that is 1; here it is the other way round.
const PNASNET_5: &str =
    "Genotype(normal=[('sep_conv_5x5', 0), ('max_pool_3x3', 0), ('sep_conv_7x7', 1), ('max_pool_3x3', 1), ('sep_conv_5x5', 1), \
                         ('sep_conv_3x3', 1), ('sep_conv_3x3', 4), ('max_pool_3x3', 1), ('sep_conv_3x3', 0), ('identity', 1)])";

/// BNAS, as its published code calls it.
const BNAS_XNOR_1: &str =
    "Genotype(normal=[('skip_connect', 1), ('dil_conv_3x3', 0), ('skip_connect', 0), ('dil_conv_5x5', 2), ('max_pool_3x3', 1), \
     ('max_pool_3x3', 0), ('dil_conv_5x5', 4), ('sep_conv_3x3', 2)], reduce=[('sep_conv_3x3', 1), ('dil_conv_5x5', 0), \
     ('skip_connect', 1), ('max_pool_3x3', 2), ('dil_conv_5x5', 0), ('avg_pool_3x3', 3), ('skip_connect', 2), ('dil_conv_3x3', 4)])";

pub static PUBLISHED: [PublishedCells; 16] = [
    PublishedCells {
        name: "darts-v1",
        description: "DARTS, first order, CIFAR-10: 3.2 M parameters",
        space: "darts-cifar",
        genotype: "Genotype(normal=[('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 0), ('sep_conv_3x3', 1), ('skip_connect', 0), \
                   ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 2)], reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), \
                   ('skip_connect', 2), ('max_pool_3x3', 0), ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('avg_pool_3x3', 0)])",
    },
    PublishedCells {
        name: "darts-v2",
        description: "DARTS, second order, CIFAR-10: 3.3 M parameters",
        space: "darts-cifar",
        genotype: "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 1), \
                   ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), \
                   ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), ('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)])",
    },
    PublishedCells {
        name: "pdarts",
        description: "P-DARTS, CIFAR-10: 3.4 M parameters",
        space: "darts-cifar",
        genotype: "Genotype(normal=[('skip_connect', 0), ('dil_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 1), \
                   ('sep_conv_3x3', 3), ('sep_conv_3x3', 0), ('dil_conv_5x5', 4)], reduce=[('avg_pool_3x3', 0), ('sep_conv_5x5', 1), \
                   ('sep_conv_3x3', 0), ('dil_conv_5x5', 2), ('max_pool_3x3', 0), ('dil_conv_3x3', 1), ('dil_conv_3x3', 1), ('dil_conv_5x5', 3)])",
    },
    PublishedCells {
        name: "pc-darts-cifar",
        description: "PC-DARTS, CIFAR-10: 3.6 M parameters",
        space: "darts-cifar",
        genotype: "Genotype(normal=[('sep_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 0), ('dil_conv_3x3', 1), ('sep_conv_5x5', 0), \
                   ('sep_conv_3x3', 1), ('avg_pool_3x3', 0), ('dil_conv_3x3', 1)], reduce=[('sep_conv_5x5', 1), ('max_pool_3x3', 0), \
                   ('sep_conv_5x5', 1), ('sep_conv_5x5', 2), ('sep_conv_3x3', 0), ('sep_conv_3x3', 3), ('sep_conv_3x3', 1), ('sep_conv_3x3', 2)])",
    },
    PublishedCells {
        name: "pc-darts-imagenet",
        description: "PC-DARTS, ImageNet: 5.3 M parameters",
        space: "darts-imagenet",
        genotype: "Genotype(normal=[('skip_connect', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 0), ('skip_connect', 1), ('sep_conv_3x3', 1), \
                   ('sep_conv_3x3', 3), ('sep_conv_3x3', 1), ('dil_conv_5x5', 4)], reduce=[('sep_conv_3x3', 0), ('skip_connect', 1), \
                   ('dil_conv_5x5', 2), ('max_pool_3x3', 1), ('sep_conv_3x3', 2), ('sep_conv_3x3', 1), ('sep_conv_5x5', 0), ('sep_conv_3x3', 3)])",
    },
    PublishedCells {
        name: "bnas",
        description: "BNAS, CIFAR-10, as a network of real numbers: 2.5 M parameters",
        space: "darts-cifar",
        genotype: BNAS_XNOR_1,
    },
    PublishedCells {
        name: "bnas-xnor-1",
        description: "the same with binary weights: 2.41 M of one bit and 92 K of 32, 0.67 MB",
        space: "bnas-cifar",
        genotype: BNAS_XNOR_1,
    },
    PublishedCells {
        name: "darts-search",
        description: "DARTS as ABS ran it, ImageNet: 446 M multiply-accumulates",
        space: "darts-imagenet",
        genotype: "Genotype(normal=[('skip_connect', 0), ('sep_conv_3x3', 1), ('skip_connect', 0), ('dil_conv_3x3', 1), ('sep_conv_3x3', 0), \
                   ('dil_conv_3x3', 1), ('skip_connect', 0), ('dil_conv_3x3', 1)], reduce=[('max_pool_3x3', 0), ('skip_connect', 1), \
                   ('avg_pool_3x3', 0), ('sep_conv_5x5', 2), ('skip_connect', 2), ('avg_pool_3x3', 0), ('skip_connect', 2), ('avg_pool_3x3', 0)])",
    },
    PublishedCells {
        name: "pdarts-search",
        description: "P-DARTS as ABS ran it, ImageNet: 564 M multiply-accumulates",
        space: "darts-imagenet",
        genotype: "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('skip_connect', 0), ('sep_conv_3x3', 1), ('skip_connect', 0), \
                   ('sep_conv_5x5', 1), ('sep_conv_3x3', 2), ('dil_conv_3x3', 4)], reduce=[('avg_pool_3x3', 0), ('avg_pool_3x3', 1), \
                   ('avg_pool_3x3', 0), ('sep_conv_5x5', 2), ('avg_pool_3x3', 0), ('skip_connect', 1), ('dil_conv_5x5', 3), ('sep_conv_5x5', 4)])",
    },
    PublishedCells {
        name: "darts-abs",
        description: "ABS with DARTS, ImageNet: 619 M multiply-accumulates",
        space: "darts-imagenet",
        genotype: "Genotype(normal=[('sep_conv_3x3', 1), ('dil_conv_3x3', 0), ('sep_conv_5x5', 1), ('sep_conv_3x3', 2), ('dil_conv_3x3', 2), \
                   ('sep_conv_5x5', 1), ('dil_conv_3x3', 4), ('dil_conv_5x5', 2)], reduce=[('dil_conv_3x3', 0), ('sep_conv_3x3', 1), \
                   ('sep_conv_5x5', 0), ('sep_conv_3x3', 2), ('dil_conv_3x3', 0), ('dil_conv_5x5', 3), ('dil_conv_3x3', 0), ('dil_conv_3x3', 2)])",
    },
    PublishedCells {
        name: "pdarts-abs",
        description: "ABS with P-DARTS, ImageNet: 645 M multiply-accumulates",
        space: "darts-imagenet",
        genotype: "Genotype(normal=[('dil_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('sep_conv_3x3', 2), ('sep_conv_5x5', 0), \
                   ('sep_conv_5x5', 3), ('dil_conv_5x5', 2), ('dil_conv_3x3', 4)], reduce=[('dil_conv_3x3', 0), ('dil_conv_5x5', 1), \
                   ('sep_conv_3x3', 1), ('sep_conv_5x5', 2), ('dil_conv_5x5', 1), ('sep_conv_5x5', 3), ('dil_conv_3x3', 2), ('dil_conv_3x3', 4)])",
    },
    PublishedCells {
        name: "resnet-201",
        description: "the residual network of NAS-Bench-201",
        space: "nas-bench-201",
        genotype: "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|",
    },
    PublishedCells {
        name: "conv3x3-201",
        description: "a dense 3x3 convolution on every edge of NAS-Bench-201: its dearest network",
        space: "nas-bench-201",
        genotype: "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|nor_conv_3x3~0|nor_conv_3x3~1|nor_conv_3x3~2|",
    },
    PublishedCells {
        name: "pnasnet-5-cifar",
        description: "PNASNet-5, CIFAR-10: 3.2 M parameters",
        space: "pnas-cifar",
        genotype: PNASNET_5,
    },
    PublishedCells {
        name: "pnasnet-5-mobile",
        description: "PNASNet-5, ImageNet: 588 M multiply-accumulates",
        space: "pnas-mobile",
        genotype: PNASNET_5,
    },
    PublishedCells {
        name: "pnasnet-5-large",
        description: "PNASNet-5, ImageNet: 86 M parameters, 25 G multiply-accumulates",
        space: "pnas-imagenet",
        genotype: PNASNET_5,
    },
];
