using Tidegate.Exchanges;
using Tidegate.Policies.Cache;
using Tidegate.Policies.Cache.Disk;
using Xunit;

namespace Tidegate.Tests.Policies.Cache;

/// <summary>Stored answers on disk: what outlives the process, and what must not.</summary>
public sealed class DiskTests : IDisposable
{
    private static readonly CacheSettings Shared = new() { Api = "api", Partition = CachePartition.None };

    // Of what is over at once, on a machine that does something else.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(20);

    private readonly string _directory = Directory.CreateTempSubdirectory("tidegate-disk").FullName;
    private readonly List<string> _told = [];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task An_answer_outlives_the_process_with_its_fields_its_variants_and_its_age()
    {
        await InProcessAsync(async bench =>
        {
            bench.Upstream = asked => CacheBench.Answer(asked, 200, "Tidegate-Cache-Control: max-age=60\nVary: Accept-Language\nX-A: b\nETag: \"v\"", asked.RequestHeaders.Get("Accept-Language")!);
            await bench.CallAsync(fields: "Accept-Language: de");
            await bench.CallAsync(fields: "Accept-Language: en");
            Assert.Null((await bench.CallAsync(fields: "Accept-Language: en"))["Tidegate-Cache-Control"]);
        });
        await InProcessAsync(async bench =>
        {
            bench.Time.Advance(TimeSpan.FromSeconds(30));
            var hit = await bench.CallAsync(fields: "Accept-Language: de");
            Assert.True(hit is { IsFromStore: true, Status: 200, Content: "de", Cache: CacheResult.Hit });
            Assert.Equal(("b", "\"v\"", "30", null), (hit["X-A"], hit["ETag"], hit["Age"], hit["Tidegate-Cache-Control"]));
            Assert.Equal("en", (await bench.CallAsync(fields: "Accept-Language: en")).Content);
            Assert.Equal(304, (await bench.CallAsync(fields: "Accept-Language: en\nIf-None-Match: \"v\"")).Status);
            bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: no-store");
            Assert.False((await bench.CallAsync(fields: "Accept-Language: fr")).IsFromStore);
            bench.Time.Advance(TimeSpan.FromSeconds(30));
            Assert.False((await bench.CallAsync(fields: "Accept-Language: de")).IsFromStore);
        });
    }

    [Fact]
    public async Task What_memory_has_no_room_for_comes_from_the_disk()
    {
        await InProcessAsync(async bench =>
        {
            bench.Cache.Store.MaxBytes = 100_000;
            bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60", asked.Target.Path + new string('x', 10_000));
            for (var i = 0; i < 100; i++)
            {
                await bench.CallAsync(path: "/" + i);
            }

            await IdleAsync(bench);
            for (var i = 0; i < 100; i++)
            {
                Assert.StartsWith("/" + i + "x", (await bench.CallAsync(path: "/" + i)).Content, StringComparison.Ordinal);
                Assert.InRange(bench.Cache.Store.Bytes, 0, 100_000);
            }

            Assert.Equal(100, bench.Asked.Count);
            Assert.InRange(bench.Cache.Disk!.Reads, 80, 100);
        });
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_large_answer_is_read_while_it_comes_from_the_disk_also_where_memory_cannot_hold_it(bool fits)
    {
        var content = string.Concat(Enumerable.Range(0, 200_000).Select(i => i.ToString("D6", System.Globalization.CultureInfo.InvariantCulture)));
        var bench = Bench();
        bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60", content);
        await using (await OpenAsync(bench))
        {
            await bench.CallAsync();
            await IdleAsync(bench);
        }

        var again = Bench();
        again.Upstream = bench.Upstream;
        again.Cache.Store.MaxBytes = fits ? 8 << 20 : 300_000;
        await using (await OpenAsync(again))
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => Task.Run(() => again.CallAsync())));
            Assert.All(answers, answer => Assert.Equal(content, answer.Content));

            // Where it does not fit, each reads the disk for itself.
            Assert.Empty(again.Asked);
            if (fits)
            {
                Assert.Equal("000001", (await again.CallAsync(fields: "Range: bytes=6-11")).Content);
                Assert.Equal(1, again.Cache.Disk!.Reads);
            }

            Assert.InRange(again.Cache.Store.Bytes, 0, again.Cache.Store.MaxBytes);
        }
    }

    [Theory]
    [InlineData(1_000)]
    [InlineData(1_200_000)]
    public async Task Whoever_looked_into_memory_just_before_a_load_ended_does_not_read_the_disk_again(int length)
    {
        var content = new string('x', length);
        var bench = Bench();
        bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60\nVary: Accept-Language", content);
        await using (await OpenAsync(bench))
        {
            await bench.CallAsync(fields: "Accept-Language: de");
            await IdleAsync(bench);
        }

        var again = Bench();
        await using (var disk = await OpenAsync(again))
        {
            var late = CacheBench.Request(fields: "Accept-Language: de");
            var key = CacheKey.Of(late, Shared, CacheKeyParts.Of(Shared, again.Cache.Secret))!.Value.Value;
            Assert.Null(again.Cache.Store.Find(key, late.RequestHeaders, out _));
            var entry = disk.Find(key, late.RequestHeaders)!;

            // Between the look and the load, another's begins and ends.
            Assert.Equal(content, (await again.CallAsync(fields: "Accept-Language: de")).Content);
            var load = await disk.LoadAsync(entry, late.RequestHeaders);
            Assert.True(load!.Completion.IsCompleted);
            Assert.Equal(1, disk.Reads);
        }
    }

    [Fact]
    public async Task A_client_that_reads_slowly_what_memory_cannot_hold_keeps_nobody_waiting()
    {
        var content = new string('x', 1_200_000);
        var bench = Bench();
        bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60", content);
        await using (await OpenAsync(bench))
        {
            await bench.CallAsync();
            await IdleAsync(bench);
        }

        var again = Bench();
        again.Upstream = bench.Upstream;
        again.Cache.Store.MaxBytes = 300_000;
        await using (await OpenAsync(again))
        {
            var slow = CacheBench.Request();
            await again.Policy.InvokeAsync(slow, _ => throw new InvalidOperationException("It is on the disk."));
            Assert.Equal(Outcome.ServedFromCache, slow.Outcome);
            Assert.Equal(1_000, await ReadAsync(slow, 1_000));

            // One after the other, and all at once.
            for (var i = 0; i < 3; i++)
            {
                Assert.Equal(content, (await again.CallAsync().WaitAsync(TimeSpan.FromSeconds(60), Cancellation)).Content);
            }

            Assert.Empty(again.Asked);
            var together = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => Task.Run(() => again.CallAsync()))).WaitAsync(TimeSpan.FromSeconds(60), Cancellation);
            Assert.All(together, answer => Assert.Equal(content, answer.Content));

            Assert.Empty(again.Asked);
            Assert.Equal(content.Length - 1_000, await ReadAsync(slow, content.Length));
            slow.EndAnswer(downTo: 0);
        }
    }

    [Theory]
    [InlineData("Cache-Control: max-age=5")]
    [InlineData("Cache-Control: max-age=600")]
    [InlineData("DELETE")]
    public async Task An_answer_that_was_overtaken_while_it_waited_to_be_written_does_not_come_back(string newer)
    {
        await InProcessAsync(async bench =>
        {
            bench.Cache.Store.MaxBytes = 64 << 20;
            var key = "old";
            bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=3600", asked.Target.Path == "/a" ? key : new string('x', 2 << 20));

            // What is large takes the writer's time, so that what follows waits.
            await bench.CallAsync(path: "/large");
            await bench.CallAsync();
            bench.Upstream = asked => CacheBench.Answer(asked, 200, newer == "DELETE" ? "Cache-Control: no-store" : newer, "new");
            await bench.CallAsync(newer == "DELETE" ? "DELETE" : "GET", fields: newer == "DELETE" ? "" : "Cache-Control: no-cache");
        });
        await InProcessAsync(async bench =>
        {
            bench.Time.Advance(TimeSpan.FromSeconds(8));
            bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: no-store", "newest");
            Assert.NotEqual("old", (await bench.CallAsync()).Content);
        });
    }

    [Theory]
    [InlineData("Cache-Control: max-age=5")]
    [InlineData("Cache-Control: max-age=600")]
    public async Task An_answer_whose_writing_ends_while_a_newer_one_looks_for_it_does_not_come_back(string newer)
    {
        await InProcessAsync(async bench =>
        {
            var (isOnDisk, isLookedFor) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=3600", "old");
            var index = bench.Cache.Disk!.Index;

            // The old one is on the disk and cannot be found there, until the newer one has looked for it.
            index.BeforePut = () =>
            {
                index.BeforePut = static () => { };
                isOnDisk.SetResult();
                Assert.True(isLookedFor.Task.Wait(Limit, Cancellation));
            };
            await bench.CallAsync();
            await isOnDisk.Task.WaitAsync(Limit, Cancellation);

            // And the newer one goes on when the old one is done.
            index.AfterRemove = () =>
            {
                index.AfterRemove = static () => { };
                isLookedFor.SetResult();
                Assert.True(IdleAsync(bench).Wait(Limit, Cancellation));
            };
            bench.Upstream = asked => CacheBench.Answer(asked, 200, newer, "new");
            await Task.Run(() => bench.CallAsync(fields: "Cache-Control: no-cache"), Cancellation).WaitAsync(Limit, Cancellation);
            Assert.True(isLookedFor.Task.IsCompleted);
        });
        await InProcessAsync(async bench =>
        {
            bench.Time.Advance(TimeSpan.FromSeconds(8));
            bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: no-store", "newest");
            Assert.NotEqual("old", (await bench.CallAsync()).Content);
        });
    }

    [Theory]
    [InlineData("url")]
    [InlineData("prefix")]
    [InlineData("tag")]
    [InlineData("api")]
    [InlineData("all")]
    [InlineData("write")]
    [InlineData("untrue")]
    public async Task A_purge_holds_after_a_restart(string kind)
    {
        await InProcessAsync(async bench =>
        {
            bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60\nSurrogate-Key: red\nETag: \"v\"");
            await bench.CallAsync();
            await IdleAsync(bench);
            switch (kind)
            {
                case "url":
                    bench.Cache.PurgeUrl("api.test/a", isSoft: false);
                    break;
                case "prefix":
                    bench.Cache.PurgePrefix("api.test/", isSoft: false);
                    break;
                case "tag":
                    bench.Cache.PurgeTag("api", "red", isSoft: false);
                    break;
                case "api":
                    bench.Cache.PurgeApi("api", isSoft: false);
                    break;
                case "all":
                    bench.Cache.PurgeAll(isSoft: false);
                    break;
                case "write":
                    await bench.CallAsync("DELETE");
                    break;
                default:
                    // The upstream says something else now, which must not be stored.
                    bench.Time.Advance(TimeSpan.FromSeconds(61));
                    bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: no-store");
                    await bench.CallAsync();
                    break;
            }
        });
        await InProcessAsync(async bench =>
        {
            Assert.Equal(1, bench.Cache.Disk!.Entries);
            Assert.False((await bench.CallAsync()).IsFromStore);
        });
    }

    [Fact]
    public async Task A_soft_purge_holds_after_a_restart_and_leaves_something_to_validate()
    {
        await InProcessAsync(async bench =>
        {
            bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60\nETag: \"v\"");
            await bench.CallAsync();
            await IdleAsync(bench);
            bench.Cache.PurgeAll(isSoft: true);
        });
        await InProcessAsync(async bench =>
        {
            bench.Upstream = asked => CacheBench.Answer(asked, 304, "ETag: \"v\"", "");
            Assert.Equal(CacheResult.HitValidated, (await bench.CallAsync()).Cache);
        });
    }

    [Fact]
    public async Task A_purge_by_a_prefix_too_long_to_keep_purges_more_and_not_less()
    {
        var prefix = "api.test/" + new string('p', 3000);
        await InProcessAsync(async bench =>
        {
            bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60");
            await bench.CallAsync(path: "/" + new string('p', 3001));
            await bench.CallAsync(path: "/other");
            await IdleAsync(bench);
            bench.Cache.PurgePrefix(prefix, isSoft: false);
        });
        await InProcessAsync(async bench =>
        {
            Assert.False((await bench.CallAsync(path: "/" + new string('p', 3001))).IsFromStore);
            Assert.True((await bench.CallAsync(path: "/other")).IsFromStore);
        });
    }

    [Fact]
    public async Task What_is_torn_or_damaged_is_never_used()
    {
        const int Count = 40;
        var (used, damaged) = (0L, 0L);
        for (var round = 0; round < 60; round++)
        {
            await InProcessAsync(async bench =>
            {
                bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=600", Content(asked.Target.Path));
                for (var i = 0; i < Count; i++)
                {
                    Assert.Equal(Content("/" + i), await GetAsync(bench, "/" + i));
                }

                await IdleAsync(bench);
                used += Count - bench.Asked.Count;
                damaged += bench.Cache.Disk!.DamagedEntries;
            });

            // A page that was not written, a bit that fell over, an end that is missing.
            var random = new Random(round);
            foreach (var file in Directory.GetFiles(_directory, "*.answers"))
            {
                var bytes = File.ReadAllBytes(file);
                if (bytes.Length == 0)
                {
                    continue;
                }

                switch (round % 3)
                {
                    case 0:
                        bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
                        break;
                    case 1:
                        bytes = bytes[..random.Next(bytes.Length)];
                        break;
                    default:
                        bytes.AsSpan(random.Next(bytes.Length)).Clear();
                        break;
                }

                File.WriteAllBytes(file, bytes);
            }
        }

        Assert.InRange(used, 100, Count * 60);
        Assert.InRange(damaged, 1, Count * 60);

        // What breaks while it is read is never completed; the next call gets it whole.
        static async Task<string> GetAsync(CacheBench bench, string path)
        {
            try
            {
                return (await bench.CallAsync(path: path)).Content;
            }
            catch (MessageBodyException)
            {
                return (await bench.CallAsync(path: path)).Content;
            }
        }

        static string Content(string path) => path + new string((char)('a' + (path.Length % 26)), path[^1] == '7' ? 300_000 : 2000);
    }

    [Fact]
    public async Task Its_files_never_take_more_than_the_bound()
    {
        var bench = Bench();
        bench.Cache.Store.MaxBytes = 1 << 20;
        await using (await OpenAsync(bench, DiskTier.MinBytes))
        {
            bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=600", new string('x', 100_000));
            for (var i = 0; i < 500; i++)
            {
                await bench.CallAsync(path: "/" + i);
                Assert.InRange(bench.Cache.Disk!.Bytes, 0, DiskTier.MinBytes);
                if (i % 50 == 0)
                {
                    // Files can only be counted while nobody writes.
                    await IdleAsync(bench);
                    Assert.Equal(bench.Cache.Disk.Bytes, Directory.GetFiles(_directory, "*.answers").Sum(file => new FileInfo(file).Length));
                }
            }

            await IdleAsync(bench);
            Assert.InRange(bench.Cache.Disk!.Entries, 100, 170);
            Assert.False((await bench.CallAsync(path: "/0")).IsFromStore);
            Assert.True((await bench.CallAsync(path: "/480")).IsFromStore);
        }
    }

    [Fact]
    public async Task After_the_machine_itself_went_down_nothing_is_trusted_and_after_a_clean_end_everything_is()
    {
        await InProcessAsync(async bench => await bench.CallAsync());
        await InProcessAsync(async bench => Assert.True((await bench.CallAsync()).IsFromStore));
        var state = Path.Combine(_directory, DiskState.FileName);
        var bytes = File.ReadAllBytes(state);

        // Another boot, after a clean end.
        bytes.AsSpan(24, 16).Fill(7);
        File.WriteAllBytes(state, bytes);
        await InProcessAsync(async bench => Assert.True((await bench.CallAsync()).IsFromStore));

        // Another boot, and the end was none.
        bytes = File.ReadAllBytes(state);
        bytes.AsSpan(24, 16).Fill(7);
        bytes[40] = 0;
        File.WriteAllBytes(state, bytes);
        await InProcessAsync(async bench =>
        {
            Assert.Equal(0, bench.Cache.Disk!.Entries);
            Assert.False((await bench.CallAsync()).IsFromStore);
        });
    }

    [Fact]
    public async Task An_answer_from_the_future_is_not_used()
    {
        var bench = Bench();
        bench.Time.Advance(TimeSpan.FromHours(1));
        await using (await OpenAsync(bench))
        {
            await bench.CallAsync();
            await IdleAsync(bench);
        }

        await InProcessAsync(async again => Assert.False((await again.CallAsync()).IsFromStore));
    }

    [Fact]
    public async Task A_directory_that_another_gateway_uses_is_left_to_it()
    {
        await InProcessAsync(bench =>
        {
            Assert.Null(DiskTier.Open(Bench().Cache, _directory, DiskTier.MinBytes, _told.Add));
            Assert.Contains("kept in memory only", Assert.Single(_told), StringComparison.Ordinal);
            return Task.CompletedTask;
        });
    }

    [Theory]
    [InlineData("Cache-Control: max-age=5")]
    [InlineData("Cache-Control: max-age=600")]
    public async Task A_fresh_answer_that_a_newer_one_replaced_does_not_come_back_though_the_newer_one_was_not_written(string newer)
    {
        await InProcessAsync(async bench =>
        {
            bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=3600\nVary: Foo", "old");
            await bench.CallAsync(fields: "Foo: 1");
            await bench.CallAsync(fields: "Foo: 2");
            await IdleAsync(bench);

            // Too much waits to be written.
            bench.Upstream = asked => CacheBench.Answer(asked, 200, newer + "\nVary: Foo", "new" + new string('x', newer.Contains("600", StringComparison.Ordinal) ? 7 << 20 : 0));
            await bench.CallAsync(fields: "Foo: 1\nCache-Control: no-cache");

            Assert.StartsWith("new", (await bench.CallAsync(fields: "Foo: 1")).Content, StringComparison.Ordinal);
            Assert.Equal(3, bench.Asked.Count);
        });
        await InProcessAsync(async bench =>
        {
            Assert.Equal("old", (await bench.CallAsync(fields: "Foo: 2")).Content);
            Assert.NotEqual("old", (await bench.CallAsync(fields: "Foo: 1")).Content);
        });
    }

    [Fact]
    public async Task Whoever_has_read_an_answers_end_finds_it_in_its_place()
    {
        await InProcessAsync(async bench =>
        {
            var content = new FlightTests.FedBody();
            bench.Upstream = asked => CacheBench.Answer(asked, 200, "Cache-Control: max-age=60", content);
            var exchange = CacheBench.Request(fields: "Cache-Control: no-cache");
            await bench.Policy.InvokeAsync(exchange, asked => new ValueTask(bench.Upstream(asked)));
            var reading = CacheBench.ReadAsync(exchange);

            // The answer is on its way into its place, and its reader has all the time there is.
            var hasEnded = true;
            bench.Cache.Disk!.Index.AfterRemove = () => hasEnded = Task.WhenAny(reading, Task.Delay(200, Cancellation)).Result == reading;
            content.Feed("new");
            content.End();
            Assert.Equal("new", (await reading.WaitAsync(Limit, Cancellation)).Content);
            Assert.False(hasEnded);
            Assert.True((await bench.CallAsync()).IsFromStore);
        });
    }

    [Fact]
    public async Task A_file_that_cannot_be_read_takes_nothing_from_the_others()
    {
        await InProcessAsync(async bench => await bench.CallAsync());
        var broken = Path.Combine(_directory, "0000000000000000.answers");
        File.Move(broken, Path.Combine(_directory, "0000000000000001.answers"));
        File.CreateSymbolicLink(broken, Path.Combine(_directory, "nowhere"));
        await InProcessAsync(async bench =>
        {
            Assert.True((await bench.CallAsync()).IsFromStore);
            Assert.False(new FileInfo(broken).Exists || new FileInfo(broken).LinkTarget is not null);
        });
        Assert.Empty(_told);
    }

    [Fact]
    public async Task An_answer_from_the_future_hides_none_that_came_after_it()
    {
        var bench = Bench();
        var start = bench.Time.GetUtcNow();
        await using (await OpenAsync(bench))
        {
            bench.Time.Advance(TimeSpan.FromHours(1));
            await bench.CallAsync(path: "/future");
            await IdleAsync(bench);
            bench.Time.AdjustTime(start);
            await bench.CallAsync(path: "/now");
            await IdleAsync(bench);
        }

        await InProcessAsync(async again =>
        {
            Assert.False((await again.CallAsync(path: "/future")).IsFromStore);
            Assert.True((await again.CallAsync(path: "/now")).IsFromStore);
        });
    }

    [Fact]
    public async Task Its_files_are_its_users_alone_also_in_a_directory_that_others_can_read()
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        File.SetUnixFileMode(_directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute);
        await InProcessAsync(async bench => await bench.CallAsync());
        foreach (var file in Directory.GetFiles(_directory))
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        }
    }

    [Fact]
    public void A_head_that_says_nonsense_under_a_right_checksum_is_damaged_and_no_more()
    {
        var random = new Random(5);
        var whole = DiskRecord.Encode(Answer(), DateTimeOffset.UnixEpoch);
        for (var i = 0; i < 20_000; i++)
        {
            var bytes = whole.ToArray();
            for (var changes = random.Next(1, 5); changes > 0; changes--)
            {
                bytes[random.Next(DiskRecord.FrameBytes, bytes.Length)] = (byte)(random.Next(2) == 0 ? random.Next(256) : 255);
            }

            System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(16), 0);
            System.Buffers.Binary.BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(16), DiskRecord.Checksum(bytes));
            if (DiskRecord.Decode(bytes, new StoredContent(total: 7), TimeProvider.System, out _, out _) is { } answer)
            {
                Assert.InRange(answer.Head.Length + answer.Vary.Length + answer.Tags.Length, 0, bytes.Length);
            }
        }

        static StoredAnswer Answer()
        {
            var content = new StoredContent();
            content.Append("content"u8);
            content.Complete();
            return new StoredAnswer { Key = 1, Block = AnswerBlock.Make([1, 2], [3, 102, 111, 111, 0, 0], [13, 0, 1, 0, 49], 0), Status = 200, Content = content, Terms = default, HasOwnControl = false, Received = 0, Epoch = 1 };
        }
    }

    private static CacheBench Bench() => new(Shared);

    private static async Task<int> ReadAsync(Exchange exchange, int most)
    {
        var buffer = new byte[64 * 1024];
        var total = 0;
        while (total < most)
        {
            var read = await exchange.ResponseBody.ReadAsync(buffer.AsMemory(0, Math.Min(buffer.Length, most - total)), Cancellation);
            if (read == 0)
            {
                break;
            }

            total += read;
        }

        return total;
    }

    private static async Task IdleAsync(CacheBench bench)
    {
        for (var i = 0; i < 12_000 && !bench.Cache.Disk!.IsIdle; i++)
        {
            await Task.Delay(5, Cancellation);
        }

        Assert.True(bench.Cache.Disk!.IsIdle);
        Assert.Equal(0, bench.Cache.Disk.NotWritten);
    }

    private async Task<DiskTier> OpenAsync(CacheBench bench, long maxBytes = 64 << 20)
    {
        var disk = DiskTier.Open(bench.Cache, _directory, maxBytes, _told.Add);
        Assert.True(disk is not null, string.Join(' ', _told));
        await IdleAsync(bench);
        return disk;
    }

    private async Task InProcessAsync(Func<CacheBench, Task> work)
    {
        var bench = Bench();
        await using (await OpenAsync(bench))
        {
            await work(bench);
        }

        Assert.Empty(bench.Bugs);
    }
}
