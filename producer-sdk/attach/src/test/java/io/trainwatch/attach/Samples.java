package io.trainwatch.attach;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.CRC32C;

/** A small log of each format, in the form in which its tools print it. */
final class Samples {
    static final String LIGHTNING = """
            epoch,lr-AdamW,step,train_loss_epoch,train_loss_step,val_acc,val_loss
            0,,49,,0.75,,
            0,0.001,49,,,,
            0,,99,,0.5,,
            0,,99,,,0.875,0.625
            0,,99,0.6,,,
            """;

    static final String KERAS = """
            epoch,accuracy,loss,lr,val_accuracy,val_loss
            0,0.5,1.5,0.01,0.45,1.6
            1,0.75,0.8,0.01,NA,NA
            """;

    static final String YOLO = """
                           epoch,      train/box_loss,      train/obj_loss,      train/cls_loss,   metrics/precision,     metrics/mAP_0.5,        val/box_loss,        val/obj_loss,        val/cls_loss,               x/lr0,               x/lr2
                               0,               0.125,                0.25,                   0,             0.00125,              0.0625,              0.0625,              0.0625,                 0.5,              0.0025,                0.08
                               1,              0.0625,               0.125,                   0,               0.125,               0.125,              0.0625,             0.03125,                 0.5,               0.005,                0.06
            """;

    static final String MONITOR = """
            #{"t_start": 1600000000.5, "env_id": "CartPole-v1"}
            r,l,t
            10.0,10,0.5
            20.5,20,1.25
            """;

    static final String FLAIR = """
            EPOCH	TIMESTAMP	BAD_EPOCHS	LEARNING_RATE	TRAIN_LOSS	DEV_LOSS	DEV_F1
            1	12:11:32	0	0.1000	0.75	0.625	0.5
            2	12:11:35	1	0.1000	0.5	0.5	0.75
            """;

    static final String JSONL = """
            {"current_steps": 5, "total_steps": 20, "loss": 2.5, "lr": 1e-05, "epoch": 0.25, "percentage": 25.0, "elapsed_time": "0:00:10"}
            {"current_steps": 10, "total_steps": 20, "eval_loss": 2.25, "epoch": 0.5}
            {"current_steps": 20, "total_steps": 20, "epoch": 1.0, "percentage": 100.0}
            """;

    static final String LLMC = """
            +-----------------------+----------------------------------------------------+
            | Parameter             | Value                                              |
            +-----------------------+----------------------------------------------------+
            | sequence length T     | 1024                                               |
            | total batch size      | 524288                                             |
            | LR scheduler          | cosine                                             |
            | learning rate (LR)    | 6.000000e-04                                       |
            | warmup iterations     | 700                                                |
            | weight decay          | 1.000000e-01                                       |
            | max_steps             | -1                                                 |
            | val_loss_every        | 250                                                |
            | precision             | BF16                                               |
            | vocab_size V          | 50257                                              |
            | num_parameters        | 124475904                                          |
            | train_num_batches     | 19560                                              |
            +-----------------------+----------------------------------------------------+
            val loss 11.007921
            step    1/19560 | loss 11.009662 (+nanz)| norm 15.0789 (+nanz)| lr 8.57e-07 | 4230.95 ms | 31.9% bf16 MFU | 123917 tok/s
            step    2/19560 | loss     nan (+nanz)| norm    nan (+nanz)| lr 1.71e-06 | 4000.00 ms | 30.0% bf16 MFU | 120000 tok/s
            val loss 10.5
            evaluating HellaSwag: 0/157\revaluating HellaSwag: 10/157\rHellaSwag: 2511/10042 = 0.250050
            """;

    static final String OLMO = """
            2025-12-07 17:30:34.645	host:0	train:98	INFO	TrainConfig(run_name='tiny', seed=1, model=ModelConfig(vocab_size=50280, precision='amp_bf16'), optimizer=OptimizerConfig(name='adamw', learning_rate=0.0004, weight_decay=0.1), scheduler=SchedulerConfig(name='cosine_with_warmup', units='steps', t_warmup=500, t_max=None), precision='amp_bf16', max_grad_norm=1.0)
            2025-12-07 17:30:42.464	host:0	train:141	INFO	Total number of parameters: 1,176,764,416
            2025-12-07 17:32:17.270	host:0	olmo.train:979	INFO	[step=1/7630,epoch=0]
                optim/total_grad_norm=16.25
                train/CrossEntropyLoss=11.28
                train/Perplexity=79,551
                throughput/total_tokens=131,072
            2025-12-07 17:32:19.927	host:0	olmo.train:979	INFO	[step=2/7630,epoch=0]
                optim/total_grad_norm=nan
                train/CrossEntropyLoss=11.00
                System/Peak GPU Memory (MB)=64,486
            2025-12-07 17:32:20.000	host:0	olmo.train:979	INFO	piqa
                eval/downstream/piqa_len_norm=0.6000
            2025-12-07 17:32:21.000	host:0	train:377	INFO	Training complete
            """;

    static final String MEGATRON = """
            ------------------------ arguments ------------------------
              clip_grad ....................................... 1.0
              fp16 ............................................ True
              lr .............................................. 0.00015
              lr_warmup_iters ................................. 200
              seq_length ...................................... 1024
            -------------------- end of arguments ---------------------
             iteration       10/    1000 | consumed samples:           40 | elapsed time per iteration (ms): 2152.5 | learning rate: 0.000E+00 | global batch size:     4 | loss scale: 8388608.0 | number of skipped iterations:  10 | number of nan iterations:   0 |
             iteration       20/    1000 | consumed samples:           80 | elapsed time per iteration (ms): 1354.9 | learning rate: 3.750E-05 | global batch size:     4 | lm loss: 1.203115E+01 | loss scale: 32768.0 | grad norm: 16.999 | number of skipped iterations:   8 | number of nan iterations:   0 |
             iteration       30/    1000 | consumed samples:          120 | elapsed time per iteration (ms): 1376.5 | learning rate: 1.500E-04 | global batch size:     4 | loss scale: 16384.0 | number of skipped iterations:   0 | number of nan iterations:   0 |
            -----------------------------------------------------------------------------------------------
             validation loss at iteration 30 | lm loss value: 8.017406E+00 | lm loss PPL: 3.033300E+03 |
            """;

    static final String DEEPSPEED = """
            Beginning of Epoch 1/16, Total Micro Batches 460
            [2023-04-18 01:46:53,259] [INFO] [loss_scaler.py:181:update_scale] [deepspeed] OVERFLOW! Rank 0 Skipping step. Attempted loss scale: 65536, reducing to 32768
            [2023-04-18 01:46:59,142] [INFO] [logging.py:96:log_dist] [Rank 0] step=10, skipped=6, lr=[9.5e-06, 8.5e-06], mom=[(0.9, 0.95), (0.9, 0.95)]
            [2023-04-18 01:46:59,171] [INFO] [timer.py:199:stop] epoch=0/micro_step=10/global_step=10, RunningAvgSamplesPerSec=173.44, CurrSamplesPerSec=171.97, MemAllocated=3.96GB, MaxMemAllocated=22.95GB
            ***** Evaluating perplexity, Epoch 1/16 *****
            ppl: 1.75
            """;

    static final String PPO = """
            [2023-04-18 08:48:01,543] [INFO] [loss_scaler.py:188:update_scale] [deepspeed] OVERFLOW! Rank 0 Skipping step. Attempted loss scale: 65536, but hysteresis is 2. Reducing hysteresis to 1
            epoch: 0|step: 8|ppo_ep: 1|act_loss: 0.125|cri_loss: -0.0625|unsuper_loss: 0.0
            average reward score: 0.5
            [2023-04-18 08:51:07,695] [INFO] [logging.py:96:log_dist] [Rank 0] step=10, skipped=5, lr=[4.5e-06], mom=[(0.9, 0.95)]
            [2023-04-18 08:51:07,922] [INFO] [logging.py:96:log_dist] [Rank 0] step=10, skipped=4, lr=[2.5e-06], mom=[(0.9, 0.95)]
            epoch: 0|step: 9|ppo_ep: 1|act_loss: 0.25|cri_loss: 0.125|unsuper_loss: 0.0
            average reward score: -0.25
            """;

    static final String TEXT = """
            Loading data...
            Epoch 1/3 step 10: loss: 2.5, lr: 1e-4
            Epoch 1/3 step 20: loss: 2.25, lr: 2e-4
            """;

    static final String POINTS = """
            run_id,key,value,timestamp,step
            r1,train/loss,2.5,1600000000000,1
            r1,train/loss,2.25,1600000010000,2
            r1,val/loss,2.75,1600000010100,2
            r2,train/loss,nan,1600000000000,1
            """;

    static final String HISTORY = """
            {"metrics": [{"key": "loss", "value": 2.5, "timestamp": 1600000000000, "step": 0},
             {"key": "loss", "value": NaN, "timestamp": 1600000010000, "step": 1}]}
            """;

    static final String COMPOSER = """
            [hyperparameter]: num_nodes: 1
            [metric][batch=10]: loss/train/total: 2.5
            [metric][batch=10]: lr-DecoupledAdamW/group0: 0.0001
            [metric][batch=20]: loss/train/total: 2.25
            [metric][batch=20]: metrics/eval/LanguageCrossEntropy: 2.75
            """;

    static final String COMPOSER_CONSOLE = """
            [batch=1/1000]:
            \t Train loss/train/total: 12.0
            \t Train lr-DecoupledAdamW/group0: 0.0001
            [batch=2/1000]:
            \t Train loss/train/total: 11.0
            [Eval batch=1/4] Eval on eval data
            [batch=2/1000]:
            \t Eval metrics/eval/LanguageCrossEntropy: 11.5
            """;

    static final String YOLO_CONSOLE = """
                  Epoch    GPU_mem   box_loss   cls_loss   dfl_loss  Instances       Size
                  1/100      2.61G        1.5        1.5        1.0         81        640:  50%|#####     | 4/8 [00:01<00:00,  4.08it/s]
                  1/100      2.61G       1.25        1.5        1.0         81        640: 100%|##########| 8/8 [00:01<00:00,  4.08it/s]
                             Class     Images  Instances      Box(P          R      mAP50  mAP50-95): 100%|##########| 4/4 [00:01<00:00,  3.19it/s]
                               all        128        929       0.75        0.5      0.625        0.5
            """;

    private Samples() {}

    /** Each under the name of the format that it has to be recognised as, led by {@code NAME/} where there are several. */
    static Map<String, byte[]> all() {
        Map<String, byte[]> samples = new LinkedHashMap<>();
        samples.put("csv/lightning", bytes(LIGHTNING));
        samples.put("csv/keras", bytes(KERAS));
        samples.put("csv/yolo", bytes(YOLO));
        samples.put("csv/monitor", bytes(MONITOR));
        samples.put("csv/flair", bytes(FLAIR));
        samples.put("jsonl", bytes(JSONL));
        samples.put("llm.c", bytes(LLMC));
        samples.put("llm.c/main.log", bytes("s:0 tel:11.0095\ns:0 trl:11.0116 lr:0.000001 norm:14.96\n"));
        samples.put("olmo", bytes(OLMO));
        samples.put("megatron", bytes(MEGATRON));
        samples.put("deepspeed", bytes(DEEPSPEED));
        samples.put("deepspeed/ppo", bytes(PPO));
        samples.put("tfevents", tensorBoard());
        samples.put("wandb", weightsAndBiases());
        samples.put("points", bytes(POINTS));
        samples.put("points/history", bytes(HISTORY));
        samples.put("composer", bytes(COMPOSER));
        samples.put("composer/console", bytes(COMPOSER_CONSOLE));
        samples.put("yolo", bytes(YOLO_CONSOLE));
        samples.put("text", bytes(TEXT));
        samples.put("events", bytes("{\"event_type\":\"heartbeat\",\"run_id\":\"r\",\"timestamp_ms\":1}\n"));
        samples.put("hf-trainer-state", bytes("{\"log_history\":[{\"step\":1,\"loss\":2.5}]}"));
        return samples;
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    /** {@code train/loss} 2.5 and {@code train/grad_norm} 1.0 at step 5 as simple values, {@code val/loss} 2.0 as a tensor. */
    static byte[] tensorBoard() {
        ByteArrayOutputStream file = new ByteArrayOutputStream();
        record(file, event(1.5, 0, field(3, bytes("brain.Event:2"))));
        record(file, event(1_600_000_000.5, 5, field(5, simple("train/loss", 2.5f))));
        record(file, event(1_600_000_000.75, 5, field(5, simple("train/grad_norm", 1f))));
        record(file, event(1_600_000_001, 5, field(5, tensor("val/loss", 2f))));
        record(file, event(1_600_000_002, 6, field(5, simple("train/loss", Float.NaN))));
        return file.toByteArray();
    }

    /** A run {@code resnet-7} of the project {@code vision}, two rows of history, and its exit. */
    static byte[] weightsAndBiases() {
        ByteArrayOutputStream file = new ByteArrayOutputStream();
        file.writeBytes(new byte[] {':', 'W', '&', 'B', (byte) 0xe1, (byte) 0xbe, 0});
        part(file, numbered(17, join(numbered(3, bytes("vision")), numbered(8, bytes("resnet-7")))));
        part(file, numbered(2, join(item("train/loss", "2.5"), item("_timestamp", "1.6e9"), item("_step", "0"))));
        part(file, numbered(2, join(item("train/loss", "NaN"), item("_timestamp", "1.6e9"), item("_step", "1"))));
        part(file, numbered(18, new byte[] {0x08, 1}));
        return file.toByteArray();
    }

    private static byte[] item(String key, String json) {
        return numbered(1, join(numbered(2, bytes(key)), numbered(16, bytes(json))));
    }

    /** A field of bytes whose number may need two bytes. */
    private static byte[] numbered(int number, byte[] content) {
        int key = number << 3 | 2;
        byte[] tag = key < 128 ? new byte[] {(byte) key} : new byte[] {(byte) (key | 0x80), (byte) (key >>> 7)};
        return join(tag, new byte[] {(byte) content.length}, content);
    }

    private static void part(ByteArrayOutputStream file, byte[] data) {
        CRC32 crc = new CRC32();
        crc.update(1);
        crc.update(data);
        file.writeBytes(little(4).putInt((int) crc.getValue()).array());
        file.writeBytes(little(2).putShort((short) data.length).array());
        file.write(1);
        file.writeBytes(data);
    }

    static byte[] scalar(long step, String tag, float value) {
        ByteArrayOutputStream file = new ByteArrayOutputStream();
        record(file, event(1_600_000_000, step, field(5, simple(tag, value))));
        return file.toByteArray();
    }

    private static byte[] simple(String tag, float value) {
        return field(
                1,
                join(
                        field(1, bytes(tag)),
                        new byte[] {0x15},
                        little(4).putFloat(value).array()));
    }

    private static byte[] tensor(String tag, float value) {
        byte[] tensor =
                join(new byte[] {0x08, 1}, field(4, little(4).putFloat(value).array()));
        return field(1, join(field(1, bytes(tag)), field(8, tensor)));
    }

    private static byte[] event(double wallTime, long step, byte[] body) {
        return join(
                new byte[] {0x09},
                little(8).putDouble(wallTime).array(),
                new byte[] {0x10},
                new byte[] {(byte) step},
                body);
    }

    private static byte[] field(int number, byte[] content) {
        if (content.length > 127) {
            throw new IllegalArgumentException("too long for a length of one byte");
        }
        return join(new byte[] {(byte) (number << 3 | 2), (byte) content.length}, content);
    }

    private static void record(ByteArrayOutputStream file, byte[] data) {
        byte[] length = little(8).putLong(data.length).array();
        file.writeBytes(join(
                length,
                little(4).putInt(masked(length)).array(),
                data,
                little(4).putInt(masked(data)).array()));
    }

    private static int masked(byte[] bytes) {
        CRC32C crc = new CRC32C();
        crc.update(bytes);
        int value = (int) crc.getValue();
        return ((value >>> 15) | (value << 17)) + 0xa282ead8;
    }

    private static ByteBuffer little(int size) {
        return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    }

    private static byte[] join(byte[]... parts) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            all.writeBytes(part);
        }
        return all.toByteArray();
    }
}
