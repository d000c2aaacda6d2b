"""A component that judges its configuration before it is changed."""

from awsiot.greengrasscoreipc.clientv2 import GreengrassCoreIPCClientV2
from awsiot.greengrasscoreipc.model import ConfigurationValidityReport, InvalidArgumentsError
from verdict import PATIENCE, Events, check, equal, refused, scenario, wait_for_cue


def main():
    client = GreengrassCoreIPCClientV2(executor=None)

    def report(status, deployment, message=None):
        return client.send_configuration_validity_report(
            configuration_validity_report=ConfigurationValidityReport(
                status=status, deployment_id=deployment, message=message
            )
        )

    refused("nothing asked", InvalidArgumentsError, lambda: report("ACCEPTED", "some-deployment"), "some-deployment")
    refused("no report", InvalidArgumentsError, client.send_configuration_validity_report)
    refused("no deployment", InvalidArgumentsError, lambda: report("ACCEPTED", None), "deploymentId")
    refused("no status", InvalidArgumentsError, lambda: report(None, "d"), "status")
    refused("a status that is none", InvalidArgumentsError, lambda: report("PERHAPS", "d"), "PERHAPS")
    events = Events()
    _, subscription = client.subscribe_to_validate_configuration_updates(**events.handlers())
    second = Events()
    client.subscribe_to_validate_configuration_updates(**second.handlers())
    check("subscribed", True)

    def proposal(what, configuration):
        event = events.next().validate_configuration_update_event
        equal(what, event.configuration, configuration)
        return event.deployment_id

    deployment = proposal("proposal to accept", {"level": 1, "kept": "x"})
    report("ACCEPTED", deployment)
    refused("a second report", InvalidArgumentsError, lambda: report("REJECTED", deployment))

    deployment = proposal("proposal to reject", {"level": 2, "kept": "x"})
    GreengrassCoreIPCClientV2().send_configuration_validity_report(
        configuration_validity_report=ConfigurationValidityReport(
            status="REJECTED", deployment_id=deployment, message="level 2 is \N{SNOWMAN} too cold"
        )
    )

    deployment = proposal("proposal to leave lying", {"level": 3, "kept": "x"})
    check("asked for the third", True)
    wait_for_cue("late")
    refused("a late report", InvalidArgumentsError, lambda: report("ACCEPTED", deployment), deployment)

    deployment = proposal("proposal to accept in time", {"level": 4, "kept": "x"})
    report("ACCEPTED", deployment)

    proposal("proposal to run away from", {"level": 5, "kept": "x"})
    check("one subscription is asked", second.none())
    subscription.close().result(PATIENCE)
    equal("the other one takes over", second.next().validate_configuration_update_event.configuration, {"level": 6, "kept": "x"})


with scenario():
    main()
