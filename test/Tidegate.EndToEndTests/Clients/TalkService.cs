using Grpc.Core;
using Tidegate.EndToEndTests.Clients.Talking;

namespace Tidegate.EndToEndTests.Clients;

/// <summary>The server's side of talk.proto.</summary>
internal sealed class TalkService(TalkService.Log log) : Talk.TalkBase
{
    public override Task<Words> Say(Words request, ServerCallContext context)
    {
        log.Add(context);
        context.ResponseTrailers.Add("x-said", "true");
        return Task.FromResult(new Words { Text = $"{request.Text} to {context.RequestHeaders.GetValue("authorization")}" });
    }

    public override async Task Count(Number request, IServerStreamWriter<Number> responseStream, ServerCallContext context)
    {
        log.Add(context);
        for (var i = 1L; i <= request.Value; i++)
        {
            await log.Next.WaitAsync(context.CancellationToken);
            await responseStream.WriteAsync(new Number { Value = i }, context.CancellationToken);
        }
    }

    public override async Task<Number> Sum(IAsyncStreamReader<Number> requestStream, ServerCallContext context)
    {
        log.Add(context);
        var sum = 0L;
        await foreach (var number in requestStream.ReadAllAsync(context.CancellationToken))
        {
            sum += number.Value;
        }

        return new Number { Value = sum };
    }

    public override async Task Echo(IAsyncStreamReader<Words> requestStream, IServerStreamWriter<Words> responseStream, ServerCallContext context)
    {
        log.Add(context);
        await foreach (var words in requestStream.ReadAllAsync(context.CancellationToken))
        {
            await responseStream.WriteAsync(words, context.CancellationToken);
        }
    }

    /// <summary>With a text it sends that first, and fails then.</summary>
    public override async Task Fail(Words request, IServerStreamWriter<Words> responseStream, ServerCallContext context)
    {
        log.Add(context);
        if (request.Text.Length > 0)
        {
            await responseStream.WriteAsync(request, context.CancellationToken);
        }

        throw new RpcException(new Status(StatusCode.FailedPrecondition, "not in this state: ü"), new Metadata { { "x-reason", "closed" }, { "x-detail-bin", [0, 1, 255] } });
    }

    public override async Task<Words> Wait(Words request, ServerCallContext context)
    {
        log.Add(context);
        try
        {
            await Task.Delay(Timeout.Infinite, context.CancellationToken);
        }
        catch (OperationCanceledException)
        {
            log.Cancelled.Release();
        }

        return request;
    }

    /// <summary>What came, and what the test decides; the service itself lives for one call.</summary>
    internal sealed class Log
    {
        private readonly List<(string Method, string Protocol, string ApiKey)> _calls = [];

        /// <summary>For each number that Count sends, the test releases one.</summary>
        public SemaphoreSlim Next { get; } = new(0);

        /// <summary>Released when Wait saw its client go.</summary>
        public SemaphoreSlim Cancelled { get; } = new(0);

        public IReadOnlyList<(string Method, string Protocol, string ApiKey)> Calls
        {
            get
            {
                lock (_calls)
                {
                    return [.. _calls];
                }
            }
        }

        public void Add(ServerCallContext context)
        {
            lock (_calls)
            {
                _calls.Add((context.Method, context.GetHttpContext().Request.Protocol, context.RequestHeaders.GetValue("x-api-key") ?? ""));
            }
        }
    }
}
