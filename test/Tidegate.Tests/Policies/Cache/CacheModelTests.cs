using System.Globalization;
using CsCheck;
using Tidegate.Exchanges;
using Tidegate.Policies.Cache.Disk;
using Xunit;

namespace Tidegate.Tests.Policies.Cache;

/// <summary>The cache beside a model of it: whatever is asked, changed, purged and broken in whatever order, what it serves is what the model allows.</summary>
public sealed class CacheModelTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("tidegate-model").FullName;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task In_memory_it_does_what_the_model_does(int seed)
    {
        var run = new CacheModelRun();
        foreach (var step in Steps(seed, 2500))
        {
            await run.StepAsync(step);
        }

        Assert.Empty(run.Bench.Bugs);
        Assert.InRange(run.Hits, 300, 2000);
        Assert.InRange(run.StaleHits, 50, 1000);
        Assert.InRange(run.Validations, 20, 1000);
        Assert.InRange(run.PartHits, 5, 1000);
    }

    [Fact]
    public async Task Whatever_happens_it_does_what_the_model_does()
    {
        var step = Gen.Select(Gen.Int[0, 24], Gen.Int[0, 5], Gen.Int[0, 2], Gen.Int[0, 199]).Select(static (kind, path, language, amount) => new CacheStep(kind, path, language, amount));
        await step.Array[1, 60].SampleAsync(
            static async steps =>
            {
                var run = new CacheModelRun();
                foreach (var step in steps)
                {
                    await run.StepAsync(step);
                }
            },
            iter: 300,
            threads: 1);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task With_a_disk_nothing_comes_back_that_the_model_has_let_go(int seed)
    {
        var model = new CacheModel();
        var bench = new CacheBench();
        var hits = 0;
        foreach (var steps in Steps(seed, 800).Chunk(80))
        {
            // A new process each time, with the clock of the last one, and memory for a few answers.
            var run = new CacheModelRun(new CacheBench(time: bench.Time), model);
            run.Bench.Cache.Store.MaxBytes = 3_000;
            await using (DiskTier.Open(run.Bench.Cache, _directory, 16 << 20, static problem => Assert.Fail(problem)))
            {
                await IdleAsync(run.Bench);
                foreach (var step in steps)
                {
                    await run.StepAsync(step);
                    await IdleAsync(run.Bench);
                }
            }

            hits += run.Hits;
            Assert.Empty(run.Bench.Bugs);
        }

        Assert.InRange(hits, 40, 700);
    }

    private static IEnumerable<CacheStep> Steps(int seed, int count)
    {
        var random = new Random(seed);
        return Enumerable.Range(0, count).Select(_ => new CacheStep(random.Next(25), random.Next(6), random.Next(3), random.Next(200)));
    }

    private static async Task IdleAsync(CacheBench bench)
    {
        for (var i = 0; i < 4000 && !bench.Cache.Disk!.IsIdle; i++)
        {
            await Task.Delay(1, TestContext.Current.CancellationToken);
        }

        Assert.True(bench.Cache.Disk!.IsIdle);
    }
}

/// <summary>One thing that happens.</summary>
internal sealed record CacheStep(int Kind, int Path, int Language, int Amount);

/// <summary>What the origin said of an answer, and since when.</summary>
internal sealed record CacheSaying(int Number, int Version, DateTimeOffset At, int Age, int MaxAge, int Stale, int StaleIfError, bool MustRevalidate)
{
    // Ages and windows are even and lifetimes odd: nothing ever happens at the very moment in which something ends.
    public static CacheSaying Next(int number, int version, DateTimeOffset now) =>
        new(number, version, now, number % 5 == 0 ? 2 : 0, 1 + (2 * (number * 7 % 12)), 2 * (number * 5 % 6), 2 * (number * 11 % 20), number % 4 == 0);

    public string Fields => $"Cache-Control: max-age={MaxAge}, stale-while-revalidate={Stale}, stale-if-error={StaleIfError}{(MustRevalidate ? ", must-revalidate" : "")}{(Age > 0 ? $"\nAge: {Age}" : "")}";

    public double AgeAt(DateTimeOffset now) => (now - At).TotalSeconds + Age;
}

/// <summary>The origin, and what a cache of its answers may have.</summary>
internal sealed class CacheModel
{
    public const int Length = 200;

    public Dictionary<string, int> Versions { get; } = [];

    /// <summary>The last that was said of the whole of a variant.</summary>
    public Dictionary<string, CacheSaying> Whole { get; } = [];

    /// <summary>The last that was said of a part of it.</summary>
    public Dictionary<string, CacheSaying> Part { get; } = [];

    /// <summary>When a path was made stale: at which saying, and when.</summary>
    public Dictionary<string, (int Number, DateTimeOffset At)> Soft { get; } = [];

    public int Number { get; set; } = 1;

    /// <summary>0: it answers. 1: with 503. 2: it cannot be reached.</summary>
    public int Trouble { get; set; }

    /// <summary>The first two paths have an answer for each language.</summary>
    public static string Variant(string path, string? language) => path is "/0" or "/1" ? path + "-" + language : path;

    public static string Content(string tag) => string.Concat(Enumerable.Repeat(tag + ".", Length))[..Length];

    public int Version(string path) => Versions.GetValueOrDefault(path);

    public string Tag(string path, string? language) => $"{Variant(path, language)}-{Version(path).ToString(CultureInfo.InvariantCulture)}";

    public Task AnswerAsync(Exchange asked, DateTimeOffset now)
    {
        if (Trouble == 2)
        {
            asked.Fail(new Failure(FailureSource.Upstream, FailureKind.ConnectFailed, Retryable: true, "down"));
            return Task.CompletedTask;
        }

        if (Trouble == 1)
        {
            return CacheBench.Answer(asked, 503, "", "trouble");
        }

        var (path, language) = (asked.Target.Path, asked.RequestHeaders.Get("Accept-Language"));
        var (variant, tag) = (Variant(path, language), Tag(path, language));
        var saying = CacheSaying.Next(Number++, Version(path), now);
        var fields = $"ETag: \"{tag}\"\n{saying.Fields}{(variant == path ? "" : "\nVary: Accept-Language")}";

        // Parts of which all are there are a whole too.
        var isStored = Whole.GetValueOrDefault(variant)?.Version == saying.Version || Part.GetValueOrDefault(variant)?.Version == saying.Version;
        if (asked.RequestHeaders.Get("If-None-Match") == $"\"{tag}\"")
        {
            if (isStored)
            {
                Whole[variant] = saying;
            }

            return CacheBench.Answer(asked, 304, fields, MessageBody.Empty);
        }

        if (asked.Method == "HEAD")
        {
            if (isStored)
            {
                Whole[variant] = saying;
            }
            else
            {
                Whole.Remove(variant);
            }

            return CacheBench.Answer(asked, 200, fields, Content(tag));
        }

        if (asked.RequestHeaders.Get("Range") is { } range && (asked.RequestHeaders.Get("If-Range") is not { } condition || condition == $"\"{tag}\""))
        {
            Part[variant] = saying;
            var ends = range["bytes=".Length..].Split('-').Select(static end => int.Parse(end, CultureInfo.InvariantCulture)).ToArray();
            return CacheBench.Answer(asked, 206, $"{fields}\nContent-Range: bytes {range["bytes=".Length..]}/{Length}", Content(tag)[ends[0]..(ends[1] + 1)]);
        }

        Whole[variant] = saying;
        return CacheBench.Answer(asked, 200, fields, Content(tag));
    }
}

/// <summary>Runs steps and holds each answer against the model.</summary>
internal sealed class CacheModelRun
{
    private static readonly string[] Languages = ["de", "en", "fr"];

    private readonly CacheModel _model;
    private readonly Dictionary<string, string> _before = [];

    public CacheModelRun(CacheBench? bench = null, CacheModel? model = null)
    {
        (Bench, _model) = (bench ?? new CacheBench(), model ?? new CacheModel());
        Bench.Upstream = asked =>
        {
            // Refreshes ask from other threads.
            lock (_model)
            {
                return _model.AnswerAsync(asked, Bench.Time.GetUtcNow());
            }
        };
    }

    public CacheBench Bench { get; }

    public int Hits { get; private set; }

    public int StaleHits { get; private set; }

    public int Validations { get; private set; }

    public int PartHits { get; private set; }

    public async Task StepAsync(CacheStep step)
    {
        Bench.Time.Advance(TimeSpan.FromSeconds(2 * (step.Amount % 3)));
        var path = "/" + step.Path.ToString(CultureInfo.InvariantCulture);
        switch (step.Kind)
        {
            case 0:
                _model.Versions[path] = _model.Version(path) + 1;
                break;
            case 1:
                Bench.Time.Advance(TimeSpan.FromSeconds(2 * step.Amount));
                break;
            case 2:
                Bench.Cache.PurgeUrl("api.test" + path, isSoft: false);
                Forget(path);
                break;
            case 3:
                Bench.Cache.PurgeUrl("api.test" + path, isSoft: true);
                _model.Soft[path] = (_model.Number, Bench.Time.GetUtcNow());
                break;
            case 4 when step.Amount % 4 == 0:
                Bench.Cache.PurgePrefix("api.test/", isSoft: false);
                Forget("/");
                break;
            case 5 or 6:
                _model.Trouble = step.Amount % 4 == 0 ? 1 + (step.Amount % 2) : step.Amount % 4 == 1 ? 2 : 0;
                break;
            default:
                await CallAsync(step, path);
                break;
        }
    }

    private void Forget(string prefix)
    {
        foreach (var variant in _model.Whole.Keys.Where(variant => variant.StartsWith(prefix, StringComparison.Ordinal)).ToList())
        {
            _model.Whole.Remove(variant);
        }

        foreach (var variant in _model.Part.Keys.Where(variant => variant.StartsWith(prefix, StringComparison.Ordinal)).ToList())
        {
            _model.Part.Remove(variant);
        }
    }

    private async Task CallAsync(CacheStep step, string path)
    {
        var language = Languages[step.Language];
        var variant = CacheModel.Variant(path, language);
        var now = Bench.Time.GetUtcNow();
        var method = step.Kind == 7 ? "HEAD" : "GET";

        // Ranges are asked for of the last two paths only: what is known of the others is the whole.
        var isRanged = step.Path >= 4;
        var range = isRanged && step.Kind is >= 8 and <= 13 ? $"{step.Amount / 2}-{(step.Amount / 2) + 60}" : null;
        var fields = $"Accept-Language: {language}{(range is null ? "" : "\nRange: bytes=" + range)}{(step.Kind == 14 ? $"\nIf-None-Match: \"{_model.Tag(path, language)}\"" : "")}";
        var (whole, part) = (_model.Whole.GetValueOrDefault(variant), _model.Part.GetValueOrDefault(variant));
        var answer = await Bench.CallAsync(method, path, fields);
        for (var i = 0; i < 100_000 && (Bench.Cache.Flights.Count > 0 || Bench.Cache.Refreshes.Taken > 0); i++)
        {
            await Task.Yield();
        }

        var status = answer["Cache-Status"] ?? "";
        var isHit = status.Contains("; hit", StringComparison.Ordinal);
        var told = Tell(variant, $"{now:T} {method} {fields.ReplaceLineEndings(" ")} with trouble {_model.Trouble}: {answer.Status} {answer["ETag"]} {status}; said were {whole} and {part}");
        if (!isRanged && !IsSoft(path, whole))
        {
            Assert.True(Expected(whole, now, method) == What(answer, status), $"{Expected(whole, now, method)} expected: {told}");
        }

        if (answer.Exchange.Outcome is not (Outcome.Forwarded or Outcome.ServedFromCache) || answer.Status == 503)
        {
            Assert.True(_model.Trouble > 0, told);
            return;
        }

        // :: Step 1: It is an answer to this request, whole or the part that was asked for, of one version.
        var tag = answer["ETag"]!.Trim('"');
        Assert.StartsWith(variant + "-", tag, StringComparison.Ordinal);
        var content = CacheModel.Content(tag);
        if (answer.Status == 206)
        {
            Assert.Equal($"bytes {range}/{CacheModel.Length}", answer["Content-Range"]);
            content = content.Substring(step.Amount / 2, 61);
        }

        Assert.Equal(method == "HEAD" || answer.Status == 304 ? "" : content, answer.Content);

        // :: Step 2: What was not asked for just now is no older than the origin allowed.
        Validations += answer.Cache == CacheResult.HitValidated ? 1 : 0;
        if (!isHit)
        {
            Assert.True(tag == _model.Tag(path, language), told);
            return;
        }

        Hits++;
        StaleHits += answer.Cache == CacheResult.HitStale ? 1 : 0;
        PartHits += answer.Status == 206 ? 1 : 0;
        var version = int.Parse(tag[(variant.Length + 1)..], CultureInfo.InvariantCulture);
        CacheSaying?[] sayings = [whole, isRanged ? part : null];
        Assert.True(sayings.Any(saying => saying?.Version == version && IsAllowed(saying, path, status, now)), told);
        if (!isRanged)
        {
            Assert.Equal(((long)whole!.AgeAt(now)).ToString(CultureInfo.InvariantCulture), answer["Age"]);
        }
    }

    /// <summary>The last two calls for a variant, for whoever must find out what went wrong.</summary>
    private string Tell(string variant, string call)
    {
        var told = $"{_before.GetValueOrDefault(variant)}\n{call}";
        _before[variant] = call;
        return told;
    }

    private bool IsSoft(string path, CacheSaying? saying) => saying is not null && _model.Soft.TryGetValue(path, out var soft) && saying.Number < soft.Number;

    private bool IsAllowed(CacheSaying saying, string path, string status, DateTimeOffset now)
    {
        var staleFor = saying.AgeAt(now) - saying.MaxAge;
        if (IsSoft(path, saying))
        {
            staleFor = Math.Max(staleFor, (now - _model.Soft[path].At).TotalSeconds);
        }

        return status.Contains("detail=stale-while-revalidate", StringComparison.Ordinal) ? !saying.MustRevalidate && staleFor < saying.Stale
            : status.Contains("detail=", StringComparison.Ordinal) ? !saying.MustRevalidate && staleFor <= saying.StaleIfError && _model.Trouble > 0
            : staleFor < 0;
    }

    private string Expected(CacheSaying? stored, DateTimeOffset now, string method)
    {
        var staleFor = stored is null ? double.MaxValue : stored.AgeAt(now) - stored.MaxAge;
        return staleFor < 0 ? "fresh"
            : stored?.MustRevalidate == false && staleFor < stored.Stale ? "stale"
            : _model.Trouble == 0 ? "asked"
            : stored?.MustRevalidate == false && staleFor <= stored.StaleIfError && method != "HEAD" ? "stood in"
            : "failed";
    }

    private static string What(CacheAnswer answer, string status) =>
        answer.Exchange.Outcome == Outcome.Failed || answer.Status == 503 ? "failed"
        : !status.Contains("; hit", StringComparison.Ordinal) ? "asked"
        : !status.Contains("detail=", StringComparison.Ordinal) ? "fresh"
        : status.Contains("stale-while-revalidate", StringComparison.Ordinal) ? "stale"
        : "stood in";
}
