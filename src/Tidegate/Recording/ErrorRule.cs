using Tidegate.Exchanges;

namespace Tidegate.Recording;

/// <summary>Which exchanges are an API's errors: one rule for everything that counts them. What a client did to its own exchange says nothing about the API.</summary>
internal static class ErrorRule
{
    private const int ServerError = 500;

    private static readonly string Client = ExchangeWords.Of(FailureSource.Client);

    /// <summary>It failed for another reason than its client, or was answered with 500 or more by somebody else than a policy of ours.</summary>
    public static bool IsError(Outcome outcome, int status, string reason) =>
        outcome == Outcome.Failed ? reason != Client : outcome != Outcome.Rejected && status >= ServerError;

    /// <summary>The client hung up, stalled, or sent something that is no request.</summary>
    public static bool IsClientFailure(Outcome outcome, string reason) => outcome == Outcome.Failed && reason == Client;
}
